# SPDX-License-Identifier: Apache-2.0
"""TFLite files, written as flatbuffers: no TensorFlow."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s

TYPES = {
    "bool": s.TensorType.BOOL,
    "int8": s.TensorType.INT8,
    "int16": s.TensorType.INT16,
    "int32": s.TensorType.INT32,
    "int64": s.TensorType.INT64,
    "uint8": s.TensorType.UINT8,
    "uint16": s.TensorType.UINT16,
    "uint32": s.TensorType.UINT32,
    "uint64": s.TensorType.UINT64,
    "float16": s.TensorType.FLOAT16,
    "bfloat16": s.TensorType.BFLOAT16,
    "float32": s.TensorType.FLOAT32,
    "float64": s.TensorType.FLOAT64,
    "string": s.TensorType.STRING,
    "resource": s.TensorType.RESOURCE,
}


class _Buffer(s.BufferT):
    """The schema asks for 16-byte aligned data, which the generated Pack does not do."""

    def Pack(self, b):
        if self.data is None:
            return super().Pack(b)
        b.StartVector(1, len(self.data), 16)
        b.head -= len(self.data)
        b.Bytes[b.head : b.head + len(self.data)] = self.data
        data = b.EndVector()
        s.BufferStart(b)
        s.BufferAddData(b, data)
        return s.BufferEnd(b)


class Graph:
    """One subgraph under construction; tensors are referred to by index."""

    def __init__(self, file, name):
        self.file, self.g = file, s.SubGraphT()
        self.g.name, self.g.tensors, self.g.operators, self.g.inputs, self.g.outputs = name, [], [], [], []

    def tensor(self, name, dtype, shape, quant=None, data=None):
        """Adds a tensor; -1 in shape is dynamic; quant is (scales, zero points, axis)."""
        t = s.TensorT()
        t.name, t.type = name, TYPES[dtype]
        t.shape = [1 if d < 0 else d for d in shape]
        t.hasRank = True
        if any(d < 0 for d in shape):
            t.shapeSignature = list(shape)
        t.buffer = 0 if data is None else self.file.buffer(data)
        if quant:
            q = t.quantization = s.QuantizationParametersT()
            q.scale, q.zeroPoint, q.quantizedDimension = [float(v) for v in quant[0]], [int(v) for v in quant[1]], quant[2]
        self.g.tensors.append(t)
        return len(self.g.tensors) - 1

    def variable(self, name, dtype, shape):
        """A tensor that keeps its content from run to run."""
        t = self.tensor(name, dtype, shape)
        self.g.tensors[t].isVariable = True
        return t

    def strings(self, values):
        """A constant vector of strings, laid out as TFLite has them: their number, the offsets of all and of the end, the bytes."""
        raw = [v.encode() for v in values]
        offsets = np.cumsum([4 * (len(raw) + 2)] + [len(v) for v in raw])
        data = np.int32([len(raw), *offsets]).tobytes() + b"".join(raw)
        return self.tensor(f"const{len(self.g.tensors)}", "string", [len(raw)], data=np.frombuffer(data, np.uint8))

    def const(self, data, quant=None):
        data = np.asarray(data)
        return self.tensor(f"const{len(self.g.tensors)}", data.dtype.name, data.shape, quant, data)

    def op(self, name, inputs, outputs, version=1, options=None, **fields):
        """Adds an operator; options names its options table, fields are that table's fields."""
        o = s.OperatorT()
        o.opcodeIndex = self.file.opcode(name, version)
        o.inputs, o.outputs = inputs, outputs
        if options:
            o.builtinOptionsType = getattr(s.BuiltinOptions, options)
            o.builtinOptions = getattr(s, options + "T")()
            for k, v in fields.items():
                assert hasattr(o.builtinOptions, k), k
                setattr(o.builtinOptions, k, v)
        self.g.operators.append(o)


class File:
    def __init__(self):
        self.m = s.ModelT()
        self.m.version, self.m.description = 3, "anyinfer"
        self.m.operatorCodes, self.m.subgraphs, self.m.buffers = [], [], [s.BufferT()]
        self.buffers = {}

    def graph(self, name="main"):
        g = Graph(self, name)
        self.m.subgraphs.append(g.g)
        return g

    def buffer(self, data):
        data = np.ascontiguousarray(data).tobytes()
        if data not in self.buffers:
            b = _Buffer()
            b.data = data
            self.buffers[data] = len(self.m.buffers)
            self.m.buffers.append(b)
        return self.buffers[data]

    def opcode(self, name, version):
        code = getattr(s.BuiltinOperator, name)
        for i, c in enumerate(self.m.operatorCodes):
            if (c.builtinCode, c.version) == (code, version):
                return i
        c = s.OperatorCodeT()
        c.builtinCode, c.deprecatedBuiltinCode, c.version = code, min(code, 127), version
        self.m.operatorCodes.append(c)
        return len(self.m.operatorCodes) - 1

    def signature(self, key, subgraph, inputs=None, outputs=None):
        """Declares a signature. Inputs and outputs are (name, tensor); without them, names are the tensors' names."""
        sig = s.SignatureDefT()
        sig.signatureKey, sig.subgraphIndex = key, self.m.subgraphs.index(subgraph.g)
        maps = []
        for named, indices in ((inputs, subgraph.g.inputs), (outputs, subgraph.g.outputs)):
            m = []
            for name, i in named or [(subgraph.g.tensors[i].name, i) for i in indices]:
                t = s.TensorMapT()
                t.name, t.tensorIndex = name, i
                m.append(t)
            maps.append(m)
        sig.inputs, sig.outputs = maps
        self.m.signatureDefs = (self.m.signatureDefs or []) + [sig]

    def metadata(self, name, data):
        e = s.MetadataT()
        e.name, e.buffer = name, self.buffer(np.frombuffer(data, np.uint8))
        self.m.metadata = (self.m.metadata or []) + [e]

    def save(self, path):
        b = flatbuffers.Builder(1024)
        b.Finish(self.m.Pack(b), b"TFL3")
        path.write_bytes(bytes(b.Output()))


def nhwc(shape):
    return [shape[0], shape[2], shape[3], shape[1]] if len(shape) == 4 else list(shape)


def save_layers(path, layers, inp, out):
    """Writes a chain of layers (see digits.layers); inp and out are (name, dtype, NCHW shape)."""
    f = File()
    add_layers(f.graph(), layers, inp, out)
    f.save(path)


def add_layers(g, layers, inp, out):
    """Adds a chain of layers to a graph."""
    name, dtype, shape = inp[0], inp[1], nhwc(inp[2])
    at = g.tensor(name, dtype, shape)
    g.g.inputs = [at]
    channels_last = None
    consts = {}

    def const(array, make=lambda a: a):
        if id(array) not in consts:
            consts[id(array)] = g.const(make(array))
        return consts[id(array)]

    for n, (kind, *p) in enumerate(layers):
        last = n == len(layers) - 1
        if kind == "conv":
            w, b, _, relu = p
            shape = [*shape[:3], w.shape[0]]
        elif kind == "pool":
            shape = [shape[0], shape[1] // 2, shape[2] // 2, shape[3]]
        elif kind == "flatten":
            channels_last = shape[1:]
            shape = [shape[0], int(np.prod(shape[1:]))]
        elif kind == "dense":
            shape = [shape[0], p[0].shape[0]]
        to = g.tensor(out[0] if last else f"t{n}", dtype, shape)
        if kind == "conv":
            bias = g.const(np.zeros(len(w), np.float32)) if b is None else const(b)  # the kernel insists on one
            ins = [at, const(w, lambda a: a.transpose(0, 2, 3, 1)), bias]
            act = s.ActivationFunctionType.RELU if relu else s.ActivationFunctionType.NONE
            g.op("CONV_2D", ins, [to], 1, "Conv2DOptions", padding=s.Padding.SAME, strideW=1, strideH=1, fusedActivationFunction=act)
        elif kind == "pool":
            g.op("MAX_POOL_2D", [at], [to], 1, "Pool2DOptions", padding=s.Padding.VALID, strideW=2, strideH=2, filterWidth=2, filterHeight=2)
        elif kind == "flatten":
            g.op("RESHAPE", [at, g.const(np.int32([-1, shape[1]]))], [to], 1, "ReshapeOptions", newShape=[-1, shape[1]])
        elif kind == "dense":
            g.op("FULLY_CONNECTED", [at, const(p[0], lambda a: flat_nhwc(a, channels_last)), const(p[1])], [to], 1, "FullyConnectedOptions")
        elif kind == "softmax":
            g.op("SOFTMAX", [at], [to], 1, "SoftmaxOptions", beta=1.0)
        elif kind == "copy":
            g.op("TILE", [at, g.const(np.int32([1] * len(shape)))], [to], 1)
        at = to
    g.g.outputs = [at]


def flat_nhwc(w, hwc):
    """Reorders a dense layer's columns from flattened CHW to flattened HWC."""
    h, wd, c = hwc
    return w.reshape(-1, c, h, wd).transpose(0, 2, 3, 1).reshape(len(w), -1)
