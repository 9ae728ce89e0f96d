# SPDX-License-Identifier: Apache-2.0
"""Runs models with an SDK's own Python API, for tests to compare with.

    python reference.py openvino|tflite < JOBS

JOBS is a JSON list of {"model": FILE, "inputs": [FILE.npy...], "out": FOLDER}; output i becomes FOLDER/i.npy. Prints the
SDK's version. Everything runs on one thread.
"""

import json
import sys
from pathlib import Path

import numpy as np


def openvino():
    import openvino

    core = openvino.Core()
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "EXECUTION_MODE_HINT": "ACCURACY"}

    def run(model, inputs):
        return list(core.compile_model(model, "CPU", config)(inputs).values())

    return openvino.__version__, run


def tflite():
    import ai_edge_litert
    from ai_edge_litert.interpreter import Interpreter

    def run(model, inputs):
        ip = Interpreter(model, num_threads=1)
        details = ip.get_input_details()
        for d, x in zip(details, inputs, strict=True):
            ip.resize_tensor_input(d["index"], x.shape, strict=True)
        ip.allocate_tensors()
        for d, x in zip(details, inputs, strict=True):
            ip.set_tensor(d["index"], x)
        ip.invoke()
        # get_tensor refuses empty ones.
        outs = ip.get_output_details()
        return [ip.get_tensor(d["index"]) if np.prod(d["shape"]) else np.zeros(d["shape"], d["dtype"]) for d in outs]

    return getattr(ai_edge_litert, "__version__", "unknown"), run


def main():
    version, run = {"openvino": openvino, "tflite": tflite}[sys.argv[1]]()
    for job in json.load(sys.stdin):
        for i, array in enumerate(run(job["model"], [np.load(f) for f in job["inputs"]])):
            np.save(Path(job["out"], f"{i}.npy"), np.asarray(array))
    print(version)


main()
