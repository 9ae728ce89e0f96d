# SPDX-License-Identifier: Apache-2.0
"""TNN files: a .tnnproto of text and a .tnnmodel of weights."""

import struct

import numpy as np

MAGIC = 0xFABC0004


def save(path, inputs, outputs, layers, weights=()):
    """Writes PATH.tnnproto and PATH.tnnmodel.

    inputs are (name, dtype, shape), outputs names, layers (type, inputs, outputs, params);
    weights are (type number, type, layer name, [integers], [arrays]). Layers are named after their first output.
    """
    names = [n for n, _, _ in inputs]
    blobs = sorted({*names, *(b for layer in layers for b in layer[2])})
    lines = [
        f"1 {len(blobs)} 1 {MAGIC} ,",
        " : ".join(f"{n} {len(s)} {' '.join(map(str, s))} 0 " for n, _, s in inputs) + ",",
        " ".join(blobs) + " ,",
        " ".join(outputs) + " ,",
        f" {len(layers)} ,",
    ]
    for kind, ins, outs, params in layers:
        words = [kind, outs[0], len(ins), len(outs), *ins, *outs, *params]
        lines.append(" ".join(map(str, words)) + " ,")
    path.with_suffix(".tnnproto").write_text("".join(f'"{line}"\n' for line in lines))

    data = struct.pack("<Ii", MAGIC, len(weights))
    for number, kind, name, ints, arrays in weights:
        data += struct.pack("<i", number) + _str(kind) + _str(name) + _str(name)
        data += struct.pack(f"<{len(ints)}i", *ints) + b"".join(map(_raw, arrays))
    path.with_suffix(".tnnmodel").write_bytes(data)


def _str(s):
    return struct.pack("<i", len(s)) + s.encode()


def _raw(a):
    data = np.ascontiguousarray(a, np.float32).tobytes()
    return struct.pack(f"<IiI{1 + a.ndim}i", MAGIC, 0, len(data), a.ndim, *a.shape) + data


def save_layers(path, chain, inp, out):
    """Writes a chain of layers (see digits.layers); inp and out are (name, dtype, shape)."""
    layers, weights, at = [], [], inp[0]
    for n, (kind, *p) in enumerate(chain):
        to = out[0] if n == len(chain) - 1 else f"t{n}"
        if kind == "conv":
            w, b, pad, relu = p
            o, i, kh, kw = w.shape
            layers.append(("Convolution", [at], [to], [1, i, o, kh, kw, 1, 1, pad, pad, 1, -1, 1, 1, int(relu)]))
            weights.append((1, "Convolution", to, [1], [w, b]))
        elif kind == "pool":
            layers.append(("Pooling", [at], [to], [0, 2, 2, 2, 2, 0, 0, -1, -1, -1, 0, 0, 0, 0]))
        elif kind == "flatten":
            layers.append(("Flatten", [at], [to], [1]))
        elif kind == "dense":
            layers.append(("InnerProduct", [at], [to], [len(p[0]), 1, 0, 1]))
            weights.append((19, "InnerProduct", to, [], p))
        elif kind == "softmax":
            layers.append(("Softmax", [at], [to], [1]))
        at = to
    save(path, [inp], [out[0]], layers, weights)
