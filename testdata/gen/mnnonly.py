# SPDX-License-Identifier: Apache-2.0
"""Models in MNN only: what is special about it."""

import tempfile
from pathlib import Path

import numpy as np
from onnx import helper

from . import convert, digits, models, onnxfile, runtimes, tflitefile


def rounded(out, scans):
    """The digits classifier with weights in 8 bits, in half the space."""
    convert.mnn(out / "digits.onnx", out / "digits_w8.mnn", "--weightQuantBits", "8")
    i, o = ("image", "float32", [1, 1, 8, 8]), ("scores", "float32", [1, 10])
    # MNN computes in float32 with the rounded weights; in its low memory mode it rounds activations too.
    e = models.entry("digits_w8", ["mnn"], [i], [o], [{"image": digits.scale(scans[k : k + 1])} for k in range(4)], {"abs": 1e-2, "rel": 0})
    e["expect"] = lambda case: runtimes.onnx([out / "digits.onnx"], case)
    yield e


def apart(out):
    """The digits classifier with weights in a file beside it. It is not in models.json: it can only be loaded from a file."""
    convert.mnn(out / "digits.onnx", out / "digits_apart.mnn", "--saveExternalData", "1")


def planes(out):
    """A convolution from 3 channels to 5, neither a multiple of MNN's 4, with channels first and last."""
    r = np.random.RandomState(0)
    w, b = r.randn(5, 3, 3, 3).astype(np.float32), r.randn(5).astype(np.float32)

    def expect(x):
        y = digits.columns(x.astype(np.float64)) @ w.reshape(5, -1).T + b
        return np.maximum(y, 0).astype(np.float32).transpose(0, 3, 1, 2)

    cases = [{"x": r.randn(1, 3, *size).astype(np.float32)} for size in ((4, 6), (7, 5))]
    with tempfile.TemporaryDirectory() as sources:
        i, o = ("x", "float32", [1, 3, -1, -1]), ("y", "float32", [1, 5, -1, -1])
        source = Path(sources, "planes.onnx")
        onnxfile.save_layers(source, [("conv", w, b, 1, True)], i, o)
        convert.mnn(source, out / "planes.mnn", "--keepInputFormat=0")  # input and output stay NC4HW4
        e = models.entry("planes", ["mnn"], [i], [o], cases)
        e["expect"] = lambda case: {"y": expect(case["x"])}
        yield e

        # The converter keeps channels last from TFLite, but not dynamic dimensions.
        i, o = ("x", "float32", [1, 3, 4, 6]), ("y", "float32", [1, 5, 4, 6])
        source = Path(sources, "planes_nhwc.tflite")
        tflitefile.save_layers(source, [("conv", w, b, 1, True)], i, o)
        convert.mnn(source, out / "planes_nhwc.mnn")
        i, o = ((*t[:2], tflitefile.nhwc(t[2])) for t in (i, o))
        e = models.entry("planes_nhwc", ["mnn"], [i], [o], [{"x": runtimes.nhwc(cases[0]["x"])}])
        e["expect"] = lambda case: {"y": runtimes.nhwc(expect(runtimes.nchw(case["x"])))}
        yield e


def branch(out):
    """2x where the sum of x is positive, else its first two: the data choose what runs and the output's size."""
    i, o = ("x", "float32", [6]), ("y", "float32", [-1])
    double = helper.make_graph([helper.make_node("Add", ["x", "x"], ["doubled"])], "double", [], [onnxfile.info("doubled", *i[1:])])
    head = helper.make_graph([helper.make_node("Slice", ["x", "from", "to"], ["first"])], "head", [], [onnxfile.info("first", "float32", [2])])
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["y"], then_branch=double, else_branch=head),
    ]
    with tempfile.TemporaryDirectory() as sources:
        source = Path(sources, "branch.onnx")
        onnxfile.save(source, nodes, [i], [o], [("zero", np.float32(0)), ("from", np.int64([0])), ("to", np.int64([2]))])
        convert.mnn(source, out / "branch.mnn")
    cases = [{"x": np.float32(v)} for v in ([1, 2, 3, 4, 5, 6], [-1, 2, -3, 4, -5, 0])]
    e = models.entry("branch", ["mnn"], [i], [o], cases, {"abs": 0, "rel": 0})
    e["expect"] = lambda case: {"y": 2 * case["x"] if case["x"].sum() > 0 else case["x"][:2]}
    yield e
