# SPDX-License-Identifier: Apache-2.0
"""TFLite Metadata: the flatbuffer in a model's buffer and the files behind the model, as metadata_schema.fbs has them."""

import zipfile

import flatbuffers

AXIS_LABELS, VALUE_LABELS = 2, 3


def table(**fields):
    """A table to be written: values by slot, as s0="text", s6=[tables], s2=(1-byte number,)."""
    return {int(k[1:]): v for k, v in fields.items()}


def file(name, kind, locale=None):
    """An AssociatedFile."""
    t = table(s0=name, s2=(kind,))
    return {**t, 3: locale} if locale else t


def pack(model):
    """The bytes of a ModelMetadata."""
    b = flatbuffers.Builder(0)
    b.Finish(_write(b, model), b"M001")
    return bytes(b.Output())


def _write(b, fields):
    refs = {}
    for slot, v in fields.items():
        if isinstance(v, str):
            refs[slot] = b.CreateString(v)
        elif isinstance(v, list):
            items = [_write(b, item) for item in v]
            b.StartVector(4, len(items), 4)
            for item in reversed(items):
                b.PrependUOffsetTRelative(item)
            refs[slot] = b.EndVector()
    b.StartObject(max(fields, default=-1) + 1)
    for slot, v in fields.items():
        if slot in refs:
            b.PrependUOffsetTRelativeSlot(slot, refs[slot], 0)
        else:
            b.PrependInt8Slot(slot, v[0], 0)
    return b.EndObject()


def append(path, files):
    """Appends {name: text} to a model as a ZIP archive."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as z:
        for name, text in files.items():
            z.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
