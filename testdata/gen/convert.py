# SPDX-License-Identifier: Apache-2.0
"""IR and MNN files, converted from ONNX and TFLite, and an IR with a variable, which ONNX does not have."""

import re
import struct
import uuid

import _tools  # MNN's converter; the wheel's own command around it reports its use to a server
import numpy as np
import openvino
from openvino import opset1, opset6

UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# What has an MNN file too; README.md says what becomes of the others.
MNN = "digits digits_dynamic edges multi int8 int32 uint8 bfloat16 float32 scalar fivedim nonzero_cast slow slow_small empty_sum".split()
# What MNN has and its converter does not keep: inputs' dtypes, and a dynamic first dimension, for which it writes 1.
DTYPES = {"bfloat16": "DT_BFLOAT16"}
SHAPES = {"digits_dynamic": ([1, 1, 8, 8], [-1, 1, 8, 8]), "empty_sum": ([1, 3], [-1, 3])}


VERSION = openvino.get_version()  # as each IR has it


def onnx(path):
    """Writes PATH.xml, PATH.bin and, where MNN can have it, PATH.mnn beside PATH.onnx."""
    # Not openvino.convert_model: that records its arguments in the file, the path among them.
    model = openvino.Core().read_model(path)
    openvino.save_model(model, path.with_suffix(".xml"), compress_to_fp16=False)
    if path.stem in MNN:
        mnn(path, path.with_suffix(".mnn"))


def accumulator(path, first):
    """Writes an IR whose output y is the sum of first and of every input x so far."""
    x = opset1.parameter(first.shape, np.float32, name="x")
    state = opset6.read_value(opset1.constant(first, name="first"), "sum", np.float32, list(first.shape))
    y = opset1.add(state, x)
    write, result = opset6.assign(y, "sum"), opset1.result(y)
    x.output(0).set_names({"x"})
    y.output(0).set_names({"y"})
    for node, name in ((state, "read"), (y, "add"), (write, "write"), (result, "result")):
        node.set_friendly_name(name)  # else it has a number that depends on what was made before
    model = openvino.Model([result], [write], [x], "accumulator")
    openvino.save_model(model, path, compress_to_fp16=False)


def table_last(path, table):
    """Moves the content of table to the end of a FlatBuffers file, where a longer one can take its place."""
    data, content = path.read_bytes(), table.tobytes()
    assert data.count(content) == 1, path
    was = data.index(content) - 4  # the vector's length is before it
    length = data[was : was + 4]
    now = -(-(len(data) + 4) // 16) * 16 - 4
    # Where a field points to it: the last, as a table comes before what it points to.
    field = next(p for p in range(was - 4, -1, -4) if p + struct.unpack_from("<I", data, p)[0] == was)
    data = data[:field] + struct.pack("<I", now - field) + data[field + 4 : was + 4] + bytes(len(content)) + data[was + 4 + len(content) :]
    path.write_bytes(data.ljust(now, b"\0") + length + content)


def mnn(source, out, *options):
    """Writes an MNN file from an ONNX or a TFLite file."""
    _mnnconvert(source, "--MNNModel", out, *options)
    if source.stem in DTYPES:
        text = out.with_suffix(".json")
        _mnnconvert(out, "--JsonFile", text)
        text.write_text(text.read_text().replace('"dtype": "DT_FLOAT"', f'"dtype": "{DTYPES[source.stem]}"'))
        _mnnconvert(text, "--MNNModel", out)
        text.unlink()
    data = out.read_bytes()
    if source.stem in SHAPES:
        was, now = (struct.pack(f"<{1 + len(s)}i", len(s), *s) for s in SHAPES[source.stem])
        assert data.count(was) == 1, out
        data = data.replace(was, now)
    # The converter stamps each file with a random identifier: a fixed one makes the file reproducible.
    fixed = str(uuid.uuid5(uuid.NAMESPACE_URL, f"anyinfer/{out.name}")).encode()
    data, n = UUID.subn(fixed, data)
    assert n == 1, (out, n)
    out.write_bytes(data)


def _mnnconvert(source, *args):
    framework = source.suffix[1:].upper()
    text = () if "--bizCode" in args else ("--bizCode", "anyinfer")
    _tools.mnnconvert(["mnnconvert", "-f", framework, "--modelFile", str(source), *text, *map(str, args)])
