# SPDX-License-Identifier: Apache-2.0
"""ONNX files, written with onnx.helper alone."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {
    "bool": TensorProto.BOOL,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
}


def info(name, dtype, shape):
    """A graph input or output; -1 in shape is a dynamic dimension."""
    return helper.make_tensor_value_info(name, TYPES[dtype], [f"{name}_{i}" if d < 0 else d for i, d in enumerate(shape)])


def save(path, nodes, inputs, outputs, weights=(), metadata={}):
    """Writes a model; inputs and outputs are (name, dtype, shape), weights (name, array), metadata texts."""
    graph = helper.make_graph(
        nodes,
        "model",
        [info(*t) for t in inputs],
        [info(*t) for t in outputs],
        [numpy_helper.from_array(np.asarray(a, order="C"), n) for n, a in weights],
    )
    # Opset 17 and IR 8 are what the oldest runtimes in use read.
    model = helper.make_model(graph, producer_name="anyinfer", ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def save_layers(path, layers, inp, out):
    """Writes a chain of layers (see digits.layers); inp and out are (name, dtype, shape)."""
    nodes, weights, at = [], [], inp[0]

    def add(op, *params, **attrs):
        nonlocal at
        n, names = len(nodes), []
        for p in params:
            if not any(p is a for _, a in weights):
                weights.append((f"w{len(weights)}", p))
            names += [k for k, a in weights if a is p]
        nodes.append(helper.make_node(op, [at, *names], [f"t{n}"], **attrs))
        at = f"t{n}"

    for kind, *p in layers:
        if kind == "conv":
            w, b, pad, relu = p
            add("Conv", *([w] if b is None else [w, b]), kernel_shape=w.shape[2:], pads=[pad] * 4)
            if relu:
                add("Relu")
        elif kind == "pool":
            add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        elif kind == "flatten":
            add("Flatten", axis=1)
        elif kind == "dense":
            add("Gemm", *p, transB=1)
        elif kind == "softmax":
            add("Softmax", axis=1)
        elif kind == "copy":
            continue
    nodes[-1].output[0] = out[0]
    save(path, nodes, [inp], [out], weights)
