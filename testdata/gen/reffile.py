# SPDX-License-Identifier: Apache-2.0
"""Files of the reference engine (.ref), laid out as cinclude/reference/model.h says."""

import struct

import numpy as np

from . import digits, models, quantize

DTYPES = ["", "bool", *(f"int{n}" for n in (8, 16, 32, 64)), *(f"uint{n}" for n in (8, 16, 32, 64)), "float16", "bfloat16", "float32", "float64"]
INTERMEDIATE, INPUT, OUTPUT, CONSTANT, VARIABLE = range(5)
OPERATORS = ["", "conv", "maxpool", "dense", "softmax", "reshape", "add", "mul", "transpose", "nonzero", "cast", "assign"]
FREE = (None,) * 4  # a shape of rank 4 with nothing fixed


class Graph:
    """One graph under construction; tensors are referred to by index."""

    def __init__(self, name=""):
        self.name, self.tensors, self.operators, self.names = name, [], [], {}

    def tensor(self, kind, name, dtype, shape, quant=None, content=b""):
        scales, zeros, axis = quant or ([], [], 0)
        data = _string(name) + struct.pack(f"<3i{len(shape)}i", kind, DTYPES.index(dtype), len(shape), *(-1 if d is None else d for d in shape))
        data += struct.pack("<i", len(scales)) + b"".join(struct.pack("<fi", s, z) for s, z in zip(scales, zeros)) + struct.pack("<i", axis)
        self.tensors.append(data + struct.pack("<i", len(content)) + content)
        return len(self.tensors) - 1

    def const(self, array, quant=None):
        a = np.asarray(array)
        return self.tensor(CONSTANT, f"const{len(self.tensors)}", a.dtype.name, a.shape, quant, a.tobytes())

    def op(self, code, inputs, output, *attributes):
        inputs, attributes = [*inputs, -1, -1, -1][:3], [*attributes, *[0] * 8][:8]
        self.operators.append(struct.pack("<13i", OPERATORS.index(code), *inputs, output, *attributes))
        return output

    def pack(self):
        parts = [_string(self.name), struct.pack("<i", len(self.tensors)), *self.tensors, struct.pack("<i", len(self.operators)), *self.operators]
        return b"".join(parts)


def save(path, *graphs):
    path.write_bytes(b"ANYREF1\n" + struct.pack("<i", len(graphs)) + b"".join(g.pack() for g in graphs))


def _string(s):
    raw = s.encode() + b"\0"
    return struct.pack("<i", len(raw)) + raw


def chain(name, layers, inp, out):
    """A chain of layers (see digits.layers); inp and out are (name, dtype, shape)."""
    g = Graph(name)
    at, batch = g.tensor(INPUT, *inp), inp[2][0]

    for n, (kind, *p) in enumerate(layers, 1):

        def to(*shape):
            return g.tensor(OUTPUT, *out) if n == len(layers) else g.tensor(INTERMEDIATE, f"t{n}", "float32", shape)

        if kind == "conv":
            w, b, pad, relu = p
            params = [g.const(a) for a in (w, b) if a is not None]
            at = g.op("conv", [at, *params], to(*FREE), 1, pad, int(relu))
        elif kind == "pool":
            at = g.op("maxpool", [at], to(*FREE), 2)
        elif kind == "flatten":
            at = g.op("reshape", [at], to(batch, None if batch > 0 else 64))
        elif kind == "dense":
            at = g.op("dense", [at, *map(g.const, p)], to(None, None))
        elif kind == "softmax":
            at = g.op("softmax", [at], to(None, None))
    return g


def digits_int8(w):
    """The digits net on int8 tensors, with a scale for each channel of a convolution's weights."""
    p, g = quantize.Params(w), Graph()

    def act(kind, name, shape, q):
        return g.tensor(kind, name, "int8", shape, ([q[0]], [q[1]], 0))

    def weights(key, at, per_channel):
        a, scale = p.weight("w" + key, per_channel=per_channel)
        zero = [0] * len(scale)
        return [g.const(a, (scale, zero, 0)), g.const(p.bias("b" + key, at[0] * scale), (at[0] * scale, zero, 0))]

    at, q = act(INPUT, "image", (1, 1, 8, 8), quantize.INPUT), quantize.INPUT
    for key, to in (("1", p.c1), ("2", p.c2)):
        at = g.op("conv", [at, *weights(key, q, True)], act(INTERMEDIATE, "conv" + key, FREE, to), 1, 1, 1)
        at, q = g.op("maxpool", [at], act(INTERMEDIATE, "pool" + key, FREE, to), 2), to
    at = g.op("reshape", [at], act(INTERMEDIATE, "flat", (1, 64), q))
    at = g.op("dense", [at, *weights("3", q, False)], act(INTERMEDIATE, "logits", (1, 10), p.logits))
    g.op("softmax", [at], act(OUTPUT, "scores", (1, 10), quantize.SCORES))
    return g


def slow():
    """Half a second or so in one operator, which looks for cancellation inside."""

    def mean(*shape):
        w = np.random.RandomState(0).rand(*shape).astype(np.float32)
        return w / w.sum((1, 2, 3), keepdims=True)

    layers = [("conv", mean(8, 1, 1, 1), None, 0, False), ("conv", mean(8, 8, 7, 7), None, 3, False), ("conv", mean(1, 8, 1, 1), None, 0, False)]
    return chain("", layers, ("x", "float32", (1, 1, 256, 256)), ("y", "float32", (1, 1, 256, 256)))


def build(e, w):
    """The graphs of the model that an entry of the manifest tells of; None where this format has no such model."""
    name, tensors = e["name"], {side: [(i["name"], i["dtype"], i["shape"]) for i in e[side]] for side in ("inputs", "outputs")}
    layers = {"digits": digits.layers(w), "digits_dynamic": digits.layers(w), "edges": models.edge_layers()}
    if name in layers:
        return [chain("", layers[name], *tensors["inputs"], *tensors["outputs"])]
    if name == "functions":
        image, edges = ("image", "float32", [1, 1, -1, -1]), ("edges", "float32", [1, 1, -1, -1])
        return [chain("classify", digits.layers(w), *tensors["inputs"], *tensors["outputs"]), chain("edges", [*models.edge_layers(), ("pool",)], image, edges)]
    if name == "digits_int8":
        return [digits_int8(w)]
    if name == "slow":
        return [slow()]
    if name == "multi_signatures":
        return [_multi(key, tensors["inputs"], [(out, *tensors["outputs"][0][1:])]) for key, out in (("add", "sum"), ("mul", "product"))]
    if name == "multi":
        return [_multi("", tensors["inputs"], tensors["outputs"])]

    if not name.startswith("dtypes/") and name not in ("channels", "accumulator", "scalar", "fivedim", "nonzero", "nonzero_cast"):
        return None
    g = Graph()
    quants = {n: (q["scale"], q["zero_point"], q["axis"]) for n, q in e.get("quant", {}).get("tflite", {}).items()}
    ins = [g.tensor(INPUT, *t, quants.get(t[0])) for t in tensors["inputs"]]
    if name == "accumulator":
        state = g.tensor(VARIABLE, "sum", "float32", (1, 2), None, np.float32([[10, 20]]).tobytes())
    outs = [g.tensor(OUTPUT, *t, quants.get(t[0])) for t in tensors["outputs"]]
    if name.startswith("dtypes/") or name == "channels":
        g.op("reshape", ins, outs[0])
    elif name == "accumulator":
        g.op("assign", [g.op("add", [state, *ins], outs[0])], state)
    elif name == "scalar":
        t = g.op("mul", [*ins, g.const(np.float32(2))], g.tensor(INTERMEDIATE, "t", "float32", ()))
        g.op("add", [t, g.const(np.float32(1))], outs[0])
    elif name == "fivedim":
        t = g.op("mul", [*ins, g.const(np.float32(2))], g.tensor(INTERMEDIATE, "t", *tensors["inputs"][0][1:]))
        g.op("transpose", [t], outs[0], 0, 1, 2, 4, 3)
    elif name == "nonzero":
        g.op("nonzero", ins, outs[0])
    elif name == "nonzero_cast":
        g.op("cast", [g.op("nonzero", ins, g.tensor(INTERMEDIATE, "t", "int64", (None, 1)))], outs[0])
    return [g]


def _multi(name, inputs, outputs):
    g = Graph(name)
    ins = [g.tensor(INPUT, *t) for t in inputs]
    for t in outputs:
        g.op("add" if t[0] == "sum" else "mul", ins, g.tensor(OUTPUT, *t))
    return g


def add(out, e, w):
    """Writes the model of a manifest entry in this format, where it has operators for it, and lists the file."""
    graphs = build(e, w)
    if graphs is None:
        return
    save(out / (e["name"] + ".ref"), *graphs)
    e["files"]["reference"] = [e["name"] + ".ref"]
    if "engines" in e:
        e["engines"].append("reference")
    if "quant" in e:
        e["quant"]["reference"] = e["quant"]["tflite"]
