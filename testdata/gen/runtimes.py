# SPDX-License-Identifier: Apache-2.0
"""Runs a model in each runtime: files and {name: array} in, {name: array} out, channels first."""

import ctypes

import MNN
import numpy as np
import onnxruntime
import openvino
from ai_edge_litert.interpreter import Interpreter
from MNN import expr

core = openvino.Core()


def onnx(files, inputs):
    o = onnxruntime.SessionOptions()
    o.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    s = onnxruntime.InferenceSession(files[0], o, providers=["CPUExecutionProvider"])
    b = s.io_binding()  # the plain run call does not take bfloat16
    for i in s.get_inputs():
        x = inputs[i.name]
        if i.type == "tensor(bfloat16)":
            value = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(x, 16)
        else:
            value = onnxruntime.OrtValue.ortvalue_from_numpy(x)
        b.bind_ortvalue_input(i.name, value)
    for o in s.get_outputs():
        b.bind_output(o.name)
    s.run_with_iobinding(b)
    result = {}
    for o, v in zip(s.get_outputs(), b.get_outputs()):
        if o.type == "tensor(bfloat16)":  # numpy has no such type: read the bits
            size = int(np.prod(v.shape()))
            result[o.name] = np.ctypeslib.as_array((ctypes.c_uint16 * size).from_address(v.data_ptr())).reshape(v.shape()).copy()
        else:
            result[o.name] = v.numpy()
    return result


def openvino_(files, inputs):
    return openvino_stream(files[0], [inputs])[0]


def openvino_stream(file, runs):
    """Several runs of one request, one after another."""
    m = core.compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    r, results = m.create_infer_request(), []
    for inputs in runs:
        for port in m.inputs:
            x = inputs[port.any_name]
            if port.element_type == openvino.Type.bf16:
                tensor = openvino.Tensor(x, openvino.Shape(x.shape), openvino.Type.bf16)
            else:
                tensor = openvino.Tensor(x)
            r.set_tensor(port, tensor)
        r.infer()
        result = {}
        for port in m.outputs:
            t = r.get_tensor(port)
            y = t.data.view(np.uint16) if t.element_type == openvino.Type.bf16 else t.data
            result[port.any_name] = y.reshape(tuple(t.shape)).copy()
        results.append(result)
    return results


def tflite(files, inputs):
    return tflite_stream(files[0], [inputs])[0]


def tflite_stream(file, runs):
    """Several runs, one after another."""
    t, results = Interpreter(str(file)), []
    for inputs in runs:
        for d in t.get_input_details():
            x = inputs[d["name"]]
            if tuple(d["shape"]) != nhwc(x).shape:
                t.resize_tensor_input(d["index"], nhwc(x).shape, strict=True)
        if not results:
            t.allocate_tensors()
        for d in t.get_input_details():
            x = nhwc(inputs[d["name"]])
            t.set_tensor(d["index"], x if x.dtype == object else x.view(d["dtype"]))
        t.invoke()
        result = {}
        for d in t.get_output_details():
            empty = 0 in d["shape"]  # get_tensor refuses those
            y = np.zeros(d["shape"], d["dtype"]) if empty else nchw(t.get_tensor(d["index"]))
            result[d["name"]] = text(y.view(np.uint16) if y.dtype.name == "bfloat16" else y)
        results.append(result)
    return results


def tflite_signature(files, key, inputs):
    run = Interpreter(str(files[0])).get_signature_runner(key)
    return {n: text(nchw(y)) for n, y in run(**{n: nhwc(x) for n, x in inputs.items()}).items()}


def text(y):
    """y with strings for bytes."""
    return np.array([v.decode() for v in y], object) if y.dtype == object else y


def mnn(files, inputs):
    m = MNN.nn.load_module_from_file(files[0], [], [])
    info, declared = m.get_info(), expr.load_as_dict(files[0])

    def var(name):
        x, as_ = inputs[name], declared[name]
        layout = expr.NHWC if as_.data_format == expr.NHWC else expr.NCHW
        return expr.const(x.ravel().tolist(), list(x.shape), layout, as_.dtype)  # a list: it takes no arrays of int8

    outs = [expr.convert(y, expr.NCHW) if y.data_format == expr.NC4HW4 else y for y in m.forward([var(n) for n in info["inputNames"]])]
    # read refuses empty ones.
    return {n: np.array(y.read()) if y.size else np.zeros(y.shape, np.float32) for n, y in zip(info["outputNames"], outs)}


RUN = {"onnx": onnx, "openvino": openvino_, "tflite": tflite, "mnn": mnn}
STREAM = {"openvino": openvino_stream, "tflite": tflite_stream}


def nhwc(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def nchw(x):
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x
