# SPDX-License-Identifier: Apache-2.0
"""The models: what each computes, its files, its manifest entry and the inputs of its cases."""

import json

import numpy as np
from onnx import helper

from . import convert, digits, metadata, onnxfile, quantize, tflitefile, tnnfile

FLOAT = {"abs": 1e-6, "rel": 1e-5}
SUFFIXES = {"onnx": [".onnx"], "openvino": [".xml", ".bin"], "tflite": [".tflite"], "mnn": [".mnn"], "tnn": [".tnnproto", ".tnnmodel"]}


def entry(name, formats, inputs, outputs, cases, tolerance=FLOAT, **more):
    """A manifest entry; inputs and outputs are (name, dtype, shape), cases are {name: array} of inputs."""
    shapes = {}
    if "tflite" in formats:
        shapes["tflite"] = {n: tflitefile.nhwc(sh) for n, _, sh in inputs + outputs if tflitefile.nhwc(sh) != list(sh)}
    shapes.update(more.pop("shapes", {}))
    if name.split("/")[-1] in convert.MNN:
        formats = [*formats, "mnn"]
    e = {"name": name, "files": {f: [name + x for x in SUFFIXES[f]] for f in SUFFIXES if f in formats}}
    for side, infos in (("inputs", inputs), ("outputs", outputs)):
        e[side] = [dict(name=n, dtype=d, shape=sh) for n, d, sh in infos]
        for info in e[side]:
            if info["dtype"] == "bfloat16":  # a type that .npy does not have: its files hold the bits
                info["npy"] = "uint16"
    shapes = {f: m for f, m in shapes.items() if m}
    if shapes:
        e["shapes"] = shapes
    e["tolerance"] = tolerance
    e.update(more)
    e["cases"] = cases
    return e


def digits_float(out, w, scans):
    """The classifier with batch 1 and with any batch."""
    layers, x = digits.layers(w), digits.scale(scans)
    for name, n in (("digits", 1), ("digits_dynamic", -1)):
        i, o = ("image", "float32", [n, 1, 8, 8]), ("scores", "float32", [n, 10])
        onnxfile.save_layers(out / f"{name}.onnx", layers, i, o)
        tflitefile.save_layers(out / f"{name}.tflite", layers, i, o)
        convert.onnx(out / f"{name}.onnx")
        if n == 1:
            tnnfile.save_layers(out / name, layers, i, o)
            yield entry(name, SUFFIXES, [i], [o], [{"image": x[k : k + 1]} for k in range(4)])
            fixed = {"image": i[2], "scores": o[2]}
        else:
            cases = [{"image": x[:k]} for k in (1, 7, 32)] + [{"image": x[40:41]}]
            e = entry(name, SUFFIXES, [i], [o], cases, shapes={"tnn": fixed})
            # A TNN file has no dynamic dimensions: other sizes are asked for when the network is made.
            e["files"]["tnn"] = ["digits.tnnproto", "digits.tnnmodel"]
            yield e


def digits_int8(out, w, scans):
    """The classifier in int8: TFLite with int8 tensors, ONNX and IR with float tensors around quantized operators."""
    p = quantize.Params(w)
    i, o = [("image", "int8", [1, 1, 8, 8])], [("scores", "int8", [1, 10])]
    quantize.save_tflite(out / "digits_int8.tflite", p)
    x = quantize.quantize(digits.scale(scans), quantize.INPUT)
    quant = {n: {"scale": [float(q[0])], "zero_point": [q[1]], "axis": 0} for n, q in (("image", quantize.INPUT), ("scores", quantize.SCORES))}
    e = entry("digits_int8", ["tflite"], i, o, [{"image": x[k : k + 1]} for k in range(4)], {"steps": 1}, quant={"tflite": quant})
    e["expect"] = lambda case: {"scores": quantize.reference(p, case["image"])}
    yield e

    quantize.save_onnx(out / "digits_qdq.onnx", p)
    convert.onnx(out / "digits_qdq.onnx")
    i, o = [("image", "float32", [1, 1, 8, 8])], [("scores", "float32", [1, 10])]
    # A value that falls between two steps may round differently: one step of an activation moves a score this far.
    yield entry("digits_qdq", ["onnx", "openvino"], i, o, [{"image": digits.scale(scans[k : k + 1])} for k in range(4)], {"abs": 2e-2, "rel": 0})


def edge_layers():
    """(|gx| + |gy|) / 2 of the 3x3 Sobel filters, at most 1, from convolutions and relu alone: all formats have those."""
    gx = np.float32([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    zero = np.zeros(4, np.float32)
    return [
        ("conv", np.stack([gx, -gx, gx.T, -gx.T])[:, None], zero, 1, True),
        ("conv", np.full((2, 4, 1, 1), 0.5, np.float32), np.float32([0, -1]), 0, True),  # v and relu(v - 1)
        ("conv", np.float32([1, -1]).reshape(1, 2, 1, 1), zero[:1], 0, False),  # min(v, 1)
    ]


def edges(out):
    layers = edge_layers()
    i, o = ("image", "float32", [1, 1, -1, -1]), ("edges", "float32", [1, 1, -1, -1])
    onnxfile.save_layers(out / "edges.onnx", layers, i, o)
    tflitefile.save_layers(out / "edges.tflite", layers, i, o)
    convert.onnx(out / "edges.onnx")
    fixed = [1, 1, 16, 16]
    tnnfile.save_layers(out / "edges", layers, (*i[:2], fixed), (*o[:2], fixed))
    r = np.random.RandomState(0)
    sizes = [(16, 16), (33, 20), (16, 16)]
    cases = [{"image": r.rand(1, 1, *size).astype(np.float32)} for size in sizes]
    yield entry("edges", SUFFIXES, [i], [o], cases, shapes={"tnn": {"image": fixed, "edges": fixed}})


def multi(out):
    """Two inputs, two outputs; and in TFLite the same as two signatures."""
    pair = [("a", "float32", [2, 3]), ("b", "float32", [2, 3])]
    both = [("sum", "float32", [2, 3]), ("product", "float32", [2, 3])]
    onnxfile.save(out / "multi.onnx", [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Mul", ["a", "b"], ["product"])], pair, both)
    convert.onnx(out / "multi.onnx")
    tnnfile.save(out / "multi", pair, ["sum", "product"], [("Add", ["a", "b"], ["sum"], []), ("Mul", ["a", "b"], ["product"], [])])

    def graph(f, name, results):
        g = f.graph(name)
        ins = [g.tensor(*t) for t in pair]
        outs = [g.tensor(*t) for t in results]
        for (n, _, _), o in zip(results, outs):
            g.op("ADD" if n == "sum" else "MUL", ins, [o], 1, "AddOptions" if n == "sum" else "MulOptions")
        g.g.inputs, g.g.outputs = ins, outs
        return g

    f = tflitefile.File()
    graph(f, "main", both)
    f.save(out / "multi.tflite")
    r = np.random.RandomState(0)
    cases = [{n: r.randn(2, 3).astype(np.float32) for n in "ab"} for _ in range(2)]
    yield entry("multi", SUFFIXES, pair, both, cases)

    f = tflitefile.File()
    parts = {"add": both[:1], "mul": both[1:]}
    for key, results in parts.items():
        f.signature(key, graph(f, key, results))
    f.save(out / "multi_signatures.tflite")
    signatures = [entry(key, [], pair, results, cases[:1]) for key, results in parts.items()]
    for e in signatures:
        del e["files"], e["tolerance"]
        e["expect"] = lambda c: {"sum": c["a"] + c["b"], "product": c["a"] * c["b"]}
    e = entry("multi_signatures", ["tflite"], pair, both[:1], cases[:1], signatures=signatures)
    e["expect"] = signatures[0]["expect"]
    yield e


def dtypes(out):
    """One model a dtype: y is x [2,3] as [3,2]. Reshape is the operator that takes every dtype everywhere."""
    (out / "dtypes").mkdir(exist_ok=True)
    for dtype in onnxfile.TYPES:
        name, i, o = f"dtypes/{dtype}", ("x", dtype, [2, 3]), ("y", dtype, [3, 2])
        onnxfile.save(out / f"{name}.onnx", [helper.make_node("Reshape", ["x", "shape"], ["y"])], [i], [o], [("shape", np.int64([3, 2]))])
        convert.onnx(out / f"{name}.onnx")
        f = tflitefile.File()
        g = f.graph()
        x, y = g.tensor(*i), g.tensor(*o)
        g.op("RESHAPE", [x, g.const(np.int32([3, 2]))], [y], 1, "ReshapeOptions", newShape=[3, 2])
        g.g.inputs, g.g.outputs = [x], [y]
        f.save(out / f"{name}.tflite")
        yield entry(name, ["onnx", "openvino", "tflite"], [i], [o], [{"x": dtype_values(dtype)}], {"abs": 0, "rel": 0})


def dtype_values(dtype):
    """Extremes of the dtype, as far as OpenVINO's CPU keeps them: it computes wider ones in int32 and float32."""
    if dtype == "bool":
        return np.bool_([[1, 0, 0], [1, 1, 0]])
    if dtype == "bfloat16":  # bits of 1.5, -2, 0, the largest, the smallest normal, the lowest
        return np.uint16([[0x3FC0, 0xC000, 0], [0x7F7F, 0x0080, 0xFF7F]])
    if dtype.startswith("float"):
        f = np.finfo("float32" if dtype == "float64" else dtype)
        return np.array([[1.5, -2, 0], [f.max, f.tiny, f.min]]).astype(dtype)
    i = np.iinfo("int32" if dtype in ("int64", "uint32", "uint64") else dtype)
    return np.array([[0, 1, 2], [i.max, i.max - 1, 77 if dtype[0] == "u" else i.min]], dtype)


def ranks(out):
    """A scalar, y = 2x + 1, and five dimensions, y = 2x with the last two swapped."""
    i, o = ("x", "float32", []), ("y", "float32", [])
    two, one = np.float32(2), np.float32(1)
    nodes = [helper.make_node("Mul", ["x", "two"], ["t"]), helper.make_node("Add", ["t", "one"], ["y"])]
    onnxfile.save(out / "scalar.onnx", nodes, [i], [o], [("two", two), ("one", one)])
    convert.onnx(out / "scalar.onnx")
    f = tflitefile.File()
    g = f.graph()
    x, t, y = g.tensor(*i), g.tensor("t", "float32", []), g.tensor(*o)
    g.op("MUL", [x, g.const(two)], [t], 1, "MulOptions")
    g.op("ADD", [t, g.const(one)], [y], 1, "AddOptions")
    g.g.inputs, g.g.outputs = [x], [y]
    f.save(out / "scalar.tflite")
    yield entry("scalar", ["onnx", "openvino", "tflite"], [i], [o], [{"x": np.array(v, np.float32)} for v in (3.25, -1e3)])

    i, o = ("x", "float32", [1, 2, 3, 2, 4]), ("y", "float32", [1, 2, 3, 4, 2])
    nodes = [helper.make_node("Mul", ["x", "two"], ["t"]), helper.make_node("Transpose", ["t"], ["y"], perm=[0, 1, 2, 4, 3])]
    onnxfile.save(out / "fivedim.onnx", nodes, [i], [o], [("two", two)])
    convert.onnx(out / "fivedim.onnx")
    f = tflitefile.File()
    g = f.graph()
    x, t, y = g.tensor(*i), g.tensor("t", *i[1:]), g.tensor(*o)
    g.op("MUL", [x, g.const(two)], [t], 1, "MulOptions")
    g.op("TRANSPOSE", [t, g.const(np.int32([0, 1, 2, 4, 3]))], [y], 1, "TransposeOptions")
    g.g.inputs, g.g.outputs = [x], [y]
    f.save(out / "fivedim.tflite")
    yield entry("fivedim", ["onnx", "openvino", "tflite"], [i], [o], [{"x": np.random.RandomState(0).randn(*i[2]).astype(np.float32)}])


def classes(out):
    """y = 2x with metadata as Ultralytics exports it: as Python prints it in ONNX and IR, as JSON in TFLite and MNN."""
    about = {
        "description": "four things",
        "author": "anyinfer",
        "version": "8.4",
        "stride": 32,
        "task": "classify",
        "imgsz": [32, 32],
        "names": {0: "person", 1: "driver's seat", 2: 'a "b" \\ c', 3: "caf\u00e9 \U0001f600"},
        "args": {"dynamic": False, "opset": None},
    }
    i, o = ("x", "float32", [1, 4]), ("y", "float32", [1, 4])
    two, path = np.float32(2), out / "classes.onnx"
    texts = {k: str(v) for k, v in about.items()}
    onnxfile.save(path, [helper.make_node("Mul", ["x", "two"], ["y"])], [i], [o], [("two", two)], metadata=texts)
    convert.onnx(path)
    convert.mnn(path, out / "classes.mnn", "--bizCode", json.dumps(about))
    f = tflitefile.File()
    g = f.graph()
    x, y = g.tensor(*i), g.tensor(*o)
    g.op("MUL", [x, g.const(two)], [y], 1, "MulOptions")
    g.g.inputs, g.g.outputs = [x], [y]
    f.save(out / "classes.tflite")
    metadata.append(out / "classes.tflite", {"metadata.json": json.dumps(about)})
    e = entry("classes", ["onnx", "openvino", "tflite", "mnn"], [i], [o], [{"x": np.float32([[1, -2, 3, 0.5]])}])
    e["outputs"][0]["labels"] = list(about["names"].values())
    texts_json = {k: v if isinstance(v, str) else json.dumps(v) for k, v in about.items()}
    e["metadata"] = {
        "onnx": {**texts, "name": "model", "producer": "anyinfer"},
        "openvino": {**texts, "name": "onnx_Frontend_IR", "OpenVINO Runtime": convert.VERSION},
        "tflite": texts_json,
        "mnn": texts_json,
    }
    yield e


def nonzero(out):
    """Where x is not zero: the output's size depends on the data."""
    i, o = ("x", "float32", [6]), ("indices", "int64", [-1, 1])
    nodes = [helper.make_node("NonZero", ["x"], ["t"]), helper.make_node("Transpose", ["t"], ["indices"], perm=[1, 0])]
    onnxfile.save(out / "nonzero.onnx", nodes, [i], [o])
    convert.onnx(out / "nonzero.onnx")
    f = tflitefile.File()
    g = f.graph()
    x, zero, t, y = g.tensor(*i), g.const(np.float32(0)), g.tensor("t", "bool", [6]), g.tensor(*o)
    g.op("NOT_EQUAL", [x, zero], [t], 1, "NotEqualOptions")
    g.op("WHERE", [t], [y], 1, "WhereOptions")
    g.g.inputs, g.g.outputs = [x], [y]
    f.save(out / "nonzero.tflite")
    values = ([0, 1, 0, -2, 3, 0], [1, 2, 3, 4, 5, 6], [0] * 6, [0, 0, 0, 0, 0, 9])
    yield entry("nonzero", ["onnx", "openvino", "tflite"], [i], [o], [{"x": np.float32(v)} for v in values], {"abs": 0, "rel": 0})

    # The same with an operator behind, which TFLite prepares only in a run.
    o = ("places", "float32", [-1, 1])
    nodes = [*nodes[:1], helper.make_node("Transpose", ["t"], ["u"], perm=[1, 0]), helper.make_node("Cast", ["u"], ["places"], to=1)]
    onnxfile.save(out / "nonzero_cast.onnx", nodes, [i], [o])
    convert.onnx(out / "nonzero_cast.onnx")
    f = tflitefile.File()
    g = f.graph()
    x, zero, t = g.tensor(*i), g.const(np.float32(0)), g.tensor("t", "bool", [6])
    u, y = g.tensor("u", "int64", [-1, 1]), g.tensor(*o)
    g.op("NOT_EQUAL", [x, zero], [t], 1, "NotEqualOptions")
    g.op("WHERE", [t], [u], 1, "WhereOptions")
    g.op("CAST", [u], [y], 1, "CastOptions")
    g.g.inputs, g.g.outputs = [x], [y]
    f.save(out / "nonzero_cast.tflite")
    yield entry("nonzero_cast", ["onnx", "openvino", "tflite"], [i], [o], [{"x": np.float32(v)} for v in values], {"abs": 0, "rel": 0})


def empty_sum(out):
    """The sums of the columns of x, which may have no row, and x itself."""
    i, outs = ("x", "float32", [-1, 3]), [("sum", "float32", [1, 3]), ("same", "float32", [-1, 3])]
    axis, one = np.int64([0]), np.float32(1)
    nodes = [helper.make_node("ReduceSum", ["x", "axis"], ["sum"], keepdims=1), helper.make_node("Mul", ["x", "one"], ["same"])]
    onnxfile.save(out / "empty_sum.onnx", nodes, [i], outs, [("axis", axis), ("one", one)])
    convert.onnx(out / "empty_sum.onnx")
    f = tflitefile.File()
    g = f.graph()
    x, total, same = g.tensor(*i), g.tensor(*outs[0]), g.tensor(*outs[1])
    g.op("SUM", [x, g.const(axis.astype(np.int32))], [total], 1, "ReducerOptions", keepDims=True)
    g.op("MUL", [x, g.const(one)], [same], 1, "MulOptions")
    g.g.inputs, g.g.outputs = [x], [total, same]
    f.save(out / "empty_sum.tflite")
    r, formats = np.random.RandomState(0), ["onnx", "openvino", "tflite"]
    cases = [{"x": r.randn(n, 3).astype(np.float32)} for n in (5, 1)]
    yield entry("empty_sum", formats, [i], outs, cases, engines=["openvino", "tflite", "litert", "mnn"])
    # The same files without a row, for the engines that take empty tensors.
    e = entry("empty_sum_none", [], [i], outs, [{"x": np.zeros((0, 3), np.float32)}], {"abs": 0, "rel": 0}, engines=["openvino"])
    e["files"] = {f: ["empty_sum" + x for x in SUFFIXES[f]] for f in formats}
    yield e


def table(out):
    """Rows of a table by their numbers. In both files the table comes last: tests put one of any size in its place."""
    i, o = ("ids", "int32", [4]), ("rows", "float32", [4, 256])
    rows = np.repeat(np.float32([[0], [1]]), 256, 1)
    f = tflitefile.File()
    g = f.graph()
    x, y = g.tensor(*i), g.tensor(*o)
    g.op("GATHER", [g.const(rows), x], [y], 1, "GatherOptions")
    g.g.inputs, g.g.outputs = [x], [y]
    f.save(out / "table.tflite")
    convert.mnn(out / "table.tflite", out / "table.mnn")
    for file in ("table.tflite", "table.mnn"):
        convert.table_last(out / file, rows)
    e = entry("table", ["tflite", "mnn"], [i], [o], [{"ids": np.int32([1, 0, 0, 1])}], {"abs": 0, "rel": 0})
    e["expect"] = lambda c: {"rows": rows[c["ids"]]}
    yield e


def slow(out):
    """A second or so a run, for cancellation: one 1x1 convolution's weights applied 96 times to 64 channels."""
    r = np.random.RandomState(0)

    def mean(o, i):  # every output is a weighted mean: values stay as they are
        w = r.rand(o, i, 1, 1).astype(np.float32)
        return w / w.sum((1, 2, 3), keepdims=True)

    w = mean(64, 64)
    # 1x1: XNNPACK keeps a table of pointers for larger kernels, 100 MB for each at 7x7 on 512x512.
    # The copies split what TFLite's XNNPACK delegate takes: it runs a whole part without asking for cancellation.
    layers = [("conv", mean(64, 1), None, 0, False)] + [("conv", w, None, 0, False), ("copy",)] * 96 + [("conv", mean(1, 64), None, 0, False)]
    # The second is for emulators, which take minutes for the first.
    for name, size, formats in (("slow", 256, ["onnx", "openvino", "tflite"]), ("slow_small", 8, ["onnx", "tflite"])):
        i, o = ("x", "float32", [1, 1, size, size]), ("y", "float32", [1, 1, size, size])
        onnxfile.save_layers(out / f"{name}.onnx", layers, i, o)
        tflitefile.save_layers(out / f"{name}.tflite", layers, i, o)
        if "openvino" in formats:
            convert.onnx(out / f"{name}.onnx")
        else:
            convert.mnn(out / f"{name}.onnx", out / f"{name}.mnn")
        yield entry(name, formats, [i], [o], [])
