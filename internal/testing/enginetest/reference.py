# SPDX-License-Identifier: Apache-2.0
"""Runs models with an SDK's own Python API, on one thread, for tests to compare with.

    python reference.py openvino|onnxruntime|tflite|mnn < JOBS

JOBS is a JSON list of {"Model": FILE, "Inputs": [FILE.npy...], "Out": FOLDER}; output i becomes FOLDER/i.npy. Prints the SDK's version.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np


def openvino():
    import openvino

    core = openvino.Core()
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "EXECUTION_MODE_HINT": "ACCURACY"}
    return openvino.__version__, lambda model, inputs: core.compile_model(model, "CPU", config)(inputs).values()


def onnxruntime():
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1

    def run(model, inputs):
        session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
        return session.run(None, {i.name: x for i, x in zip(session.get_inputs(), inputs, strict=True)})

    return onnxruntime.__version__, run


def tflite():
    import ai_edge_litert
    from ai_edge_litert.interpreter import Interpreter

    def run(model, inputs):
        ip = Interpreter(model, num_threads=1)
        details = list(zip(ip.get_input_details(), inputs, strict=True))
        for d, x in details:
            ip.resize_tensor_input(d["index"], x.shape, strict=True)
        ip.allocate_tensors()
        for d, x in details:
            ip.set_tensor(d["index"], x)
        ip.invoke()
        # get_tensor refuses empty ones.
        return [ip.get_tensor(d["index"]) if np.prod(d["shape"]) else np.zeros(d["shape"], d["dtype"]) for d in ip.get_output_details()]

    return getattr(ai_edge_litert, "__version__", "unknown"), run


def mnn():
    os.dup2(2, 1)  # MNN prints to the standard output what it finds in the processor
    import MNN
    from MNN import expr

    def run(model, inputs):
        m = MNN.nn.load_module_from_file(model, [], [])  # one thread, normal precision
        declared = expr.load_as_dict(model)

        def var(name, x):
            layout = expr.NHWC if declared[name].data_format == expr.NHWC else expr.NCHW
            data = x.ravel().tolist() if x.dtype == np.int8 else np.ascontiguousarray(x)  # it takes no arrays of int8
            return expr.const(data, list(x.shape), layout, declared[name].dtype)

        outs = m.forward([var(n, x) for n, x in zip(m.get_info()["inputNames"], inputs, strict=True)])
        # An output may lie in MNN's own layout, NC4HW4. read refuses empty ones.
        outs = [expr.convert(y, expr.NCHW) if y.data_format == expr.NC4HW4 else y for y in outs]
        return [y.read() if y.size else np.zeros(y.shape, np.float32) for y in outs]

    return MNN.version(), run


stdout = os.fdopen(os.dup(1), "w")
version, run = {"openvino": openvino, "onnxruntime": onnxruntime, "tflite": tflite, "mnn": mnn}[sys.argv[1]]()
for job in json.load(sys.stdin):
    for i, array in enumerate(run(job["Model"], [np.load(f) for f in job["Inputs"]])):
        np.save(Path(job["Out"], f"{i}.npy"), np.asarray(array))
print(version, file=stdout)
