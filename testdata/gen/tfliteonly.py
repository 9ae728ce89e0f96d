# SPDX-License-Identifier: Apache-2.0
"""The models that are TFLite files only, as models.py has the others; one that keeps a state is an IR, too."""

import numpy as np
from ai_edge_litert import schema_py_generated as s

from . import convert, digits, metadata, models, runtimes, tflitefile

EXACT = {"abs": 0, "rel": 0}


def entry(name, inputs, outputs, cases, expect, tolerance=EXACT, **more):
    # OpenVINO's reader refuses these models, or sees them otherwise.
    e = models.entry(name, ["tflite"], inputs, outputs, cases, tolerance, engines=["tflite", "litert"], **more)
    e["expect"] = expect
    return e


def signature(key, inputs, outputs, cases, expect):
    e = entry(key, inputs, outputs, cases, expect)
    for field in ("files", "tolerance", "engines"):
        del e[field]
    return e


def functions(out, w, scans):
    """Two functions of any size; that of the first subgraph is listed last and has names of its own."""
    f = tflitefile.File()
    main, second = f.graph(), f.graph("edges")
    tflitefile.add_layers(main, digits.layers(w), ("serving_default_image:0", "float32", [-1, 1, 8, 8]), ("PartitionedCall:0", "float32", [-1, 10]))
    image, edges = ("image", "float32", [1, 1, -1, -1]), ("edges", "float32", [1, 1, -1, -1])
    tflitefile.add_layers(second, [*models.edge_layers(), ("pool",)], image, edges)
    f.signature("edges", second)
    f.signature("classify", main, [("picture", main.g.inputs[0])], [("scores", main.g.outputs[0])])
    f.save(out / "functions.tflite")

    def classify(x):
        return runtimes.onnx([out / "digits_dynamic.onnx"], {"image": x["picture"]})

    def pooled(x):
        y = runtimes.onnx([out / "edges.onnx"], x)["edges"]
        h, w = y.shape[2] // 2, y.shape[3] // 2
        return {"edges": y[:, :, : 2 * h, : 2 * w].reshape(1, 1, h, 2, w, 2).max((3, 5))}

    picture, scores = ("picture", "float32", [-1, 1, 8, 8]), ("scores", "float32", [-1, 10])
    r, x = np.random.RandomState(0), digits.scale(scans)
    signatures = [
        signature("classify", [picture], [scores], [{"picture": x[:k]} for k in (1, 7, 2)], classify),
        signature("edges", [image], [edges], [{"image": r.rand(1, 1, *n).astype(np.float32)} for n in [(16, 16), (33, 20)]], pooled),
    ]
    yield entry("functions", [picture], [scores], [], classify, models.FLOAT, signatures=signatures)


def aliases(out):
    """One function whose names are not the tensors', in another order; an output has two names and one is an input."""
    f = tflitefile.File()
    g = f.graph()
    a, b, total = (g.tensor(n, "float32", [2, 3]) for n in ("x:0", "x:1", "y:0"))
    g.op("ADD", [a, b], [total], 1, "AddOptions")
    g.g.inputs, g.g.outputs = [a, b], [total, total, a]
    f.signature("serve", g, [("second", b), ("first", a)], [("again", total), ("echo", a), ("total", total)])
    f.save(out / "aliases.tflite")
    r = np.random.RandomState(0)
    cases = [{n: r.randn(2, 3).astype(np.float32) for n in ("first", "second")} for _ in range(2)]
    ins, outs = [[(n, "float32", [2, 3]) for n in names] for names in (("first", "second"), ("again", "total", "echo"))]

    def expect(x):
        y = x["first"] + x["second"]
        return {"again": y, "total": y, "echo": x["first"]}

    yield entry("aliases", ins, outs, [], expect, signatures=[signature("serve", ins, outs, cases, expect)])


def states(out):
    """What keeps a state from run to run: in a variable tensor, in a resource."""
    x, y = ("x", "float32", [1, 2]), ("y", "float32", [1, 2])
    r = np.random.RandomState(0)
    cases = [{"x": r.randn(*x[2]).astype(np.float32)} for _ in range(3)]

    f = tflitefile.File()
    g = f.graph()
    i, state, o = g.tensor(*x), g.variable("state", "float32", [1, 2]), g.tensor(*y)
    half = np.float32([[0.5, 0], [0, 0.5]])
    g.op("RNN", [i, g.const(np.eye(2, dtype=np.float32)), g.const(half), g.const(np.zeros(2, np.float32)), state], [o], 1, "RNNOptions")
    g.g.inputs, g.g.outputs = [i], [o, state]
    f.save(out / "rnn.tflite")
    e = entry("rnn", [x], [y, ("state", *y[1:])], cases, lambda c: {"y": c["x"], "state": c["x"]}, models.FLOAT)
    yield streamed(e, lambda sum_, x: sum_ / 2 + x, np.zeros_like)

    f = tflitefile.File()
    main, init = f.graph(), f.graph("init")
    first = np.float32([[10, 20]])

    def variable(g):
        t = g.tensor("sum", "resource", [])
        g.op("VAR_HANDLE", [], [t], 1, "VarHandleOptions", container="", sharedName="sum")
        return t

    init.op("ASSIGN_VARIABLE", [variable(init), init.const(first)], [], 1, "AssignVariableOptions")
    main.op("CALL_ONCE", [], [], 1, "CallOnceOptions", initSubgraphIndex=1)
    i, v, o = main.tensor(*x), main.tensor("v", *x[1:]), main.tensor(*y)
    h = variable(main)
    main.op("READ_VARIABLE", [h], [v], 1, "ReadVariableOptions")
    main.op("ADD", [v, i], [o], 1, "AddOptions")
    main.op("ASSIGN_VARIABLE", [h, o], [], 1, "AssignVariableOptions")
    main.g.inputs, main.g.outputs = [i], [o]
    init.g.inputs, init.g.outputs = [], []
    f.save(out / "accumulator.tflite")
    convert.accumulator(out / "accumulator.xml", first)
    e = entry("accumulator", [x], [y], cases, lambda c: {"y": first + c["x"]}, models.FLOAT)
    e["files"] = {"openvino": ["accumulator.xml", "accumulator.bin"], **e["files"]}
    e["engines"].append("openvino")
    yield streamed(e, lambda sum_, x: sum_ + x, lambda x: first)


def streamed(e, step, initial):
    """Adds what one session answers to the cases in a row."""
    sum_, e["stream"] = initial(e["cases"][0]["x"]), []
    for c in e["cases"]:
        sum_ = step(sum_, c["x"])
        e["stream"].append({o["name"]: sum_ for o in e["outputs"]})
    return e


def strings(out):
    """Strings: some chosen by number, compared with a word, handed through; and words with numbers in a table."""
    words, picks = ("words", "string", [-1]), ("picks", "int32", [-1])
    outs = [("chosen", "string", [-1]), ("yes", "bool", [-1]), ("echo", "string", [-1])]
    f = tflitefile.File()
    g = f.graph()
    w, p = g.tensor(*words), g.tensor(*picks)
    chosen, yes = g.tensor(*outs[0]), g.tensor(*outs[1])
    g.op("GATHER", [w, p], [chosen], 4, "GatherOptions")
    g.op("EQUAL", [w, g.strings(["yes"])], [yes], 3, "EqualOptions")
    g.g.inputs, g.g.outputs = [w, p], [chosen, yes, w]
    f.signature("serve", g, None, [("chosen", chosen), ("yes", yes), ("echo", w)])
    f.save(out / "strings.tflite")
    lists = [["yes", "no", ""], ["a"], ["ä 模型", "yes", "nul\0nul", "", "x" * 300], ["yes"] * 7]

    def expect(c):
        w = c["words"]
        return {"chosen": w[c["picks"]], "yes": w == "yes", "echo": w}

    cases = [{"words": np.array(v, object), "picks": np.int32([len(v) - 1, 0, 0])} for v in lists]
    ins = [words, picks]
    yield entry("strings", ins, outs, [], expect, signatures=[signature("serve", ins, outs, cases, expect)])

    known = {"zero": 0, "one": 1, "million": 1000000}
    word, number = ("word", "string", [-1]), ("number", "int64", [-1])
    f = tflitefile.File()
    main, init = f.graph(), f.graph("init")

    def table(g):
        t = g.tensor("table", "resource", [])
        g.op("HASHTABLE", [], [t], 1, "HashtableOptions", tableId=1, keyDtype=s.TensorType.STRING, valueDtype=s.TensorType.INT64)
        return t

    init.op("HASHTABLE_IMPORT", [table(init), init.strings(list(known)), init.const(np.int64(list(known.values())))], [], 1, "HashtableImportOptions")
    main.op("CALL_ONCE", [], [], 1, "CallOnceOptions", initSubgraphIndex=1)
    i, o = main.tensor(*word), main.tensor(*number)
    main.op("HASHTABLE_FIND", [table(main), i, main.const(np.int64([-1]))], [o], 1, "HashtableFindOptions")
    main.g.inputs, main.g.outputs = [i], [o]
    init.g.inputs, init.g.outputs = [], []
    f.save(out / "lookup.tflite")
    cases = [{"word": np.array(v, object)} for v in (["one", "zero", "two", ""], ["million"])]
    yield entry("lookup", [word], [number], cases, lambda c: {"number": np.int64([known.get(v, -1) for v in c["word"]])})


def channels(out):
    """A quantization for each channel of input and output."""
    x, y = ("x", "int8", [2, 2, 3]), ("y", "int8", [4, 3])
    scale, zero = [0.5, 0.25, 0.125], [0, 5, -7]
    f = tflitefile.File()
    g = f.graph()
    i, o = g.tensor(*x, (scale, zero, 2)), g.tensor(*y, (scale, zero, 1))
    g.op("RESHAPE", [i, g.const(np.int32([4, 3]))], [o], 1, "ReshapeOptions", newShape=[4, 3])
    g.g.inputs, g.g.outputs = [i], [o]
    f.save(out / "channels.tflite")
    quant = {n: {"scale": scale, "zero_point": zero, "axis": axis} for n, axis in (("x", 2), ("y", 1))}
    yield entry("channels", [x], [y], [{"x": np.arange(-6, 6, dtype=np.int8).reshape(x[2])}], lambda c: {"y": c["x"].reshape(4, 3)}, {"steps": 0}, quant={"tflite": quant})


def sums(out):
    """Sum and comparison of integers whose quantizations differ."""
    scales, zero = {"a": np.float32(0.5), "b": np.float32(0.125), "sum": np.float32(0.75)}, {"a": 3, "b": -5, "sum": 1}
    a, b, total = ((n, "int8", [2, 3]) for n in scales)
    less = ("less", "bool", [2, 3])
    f = tflitefile.File()
    g = f.graph()
    i, j, o = (g.tensor(*t, ([scales[t[0]]], [zero[t[0]]], 0)) for t in (a, b, total))
    p = g.tensor(*less)
    g.op("ADD", [i, j], [o], 2, "AddOptions")
    g.op("LESS", [i, j], [p], 2, "LessOptions")
    g.g.inputs, g.g.outputs = [i, j], [o, p]
    f.save(out / "sums_int8.tflite")

    def expect(x):
        real = {n: (x[n].astype(np.float32) - zero[n]) * scales[n] for n in "ab"}
        y = np.clip(np.round((real["a"] + real["b"]) / scales["sum"]) + zero["sum"], -128, 127)
        return {"sum": y.astype(np.int8), "less": real["a"] < real["b"]}

    quant = {n: {"scale": [float(s)], "zero_point": [zero[n]], "axis": 0} for n, s in scales.items()}
    x = {"a": np.int8([[0, 3, 127], [-128, 4, 3]]), "b": np.int8([[-1, -5, 127], [127, 0, 30]])}
    yield entry("sums_int8", [a, b], [total, less], [x], expect, {"steps": 1}, quant={"tflite": quant})


def weights8(out):
    """A convolution of any batch with weights of 8 bits, which quantizes its float32 input in each run."""
    x, y = ("x", "float32", [-1, 1, 8, 8]), ("y", "float32", [-1, 1, 8, 8])
    w = np.int8([[127, -64, 0], [32, 100, -127], [-3, 50, 77]])
    f = tflitefile.File()
    g = f.graph()
    i, o = (g.tensor(n, t, tflitefile.nhwc(shape)) for n, t, shape in (x, y))
    weights = g.const(w.reshape(1, 3, 3, 1), ([1 / 128], [0], 0))
    g.op("CONV_2D", [i, weights, g.const(np.float32([0.5]))], [o], 5, "Conv2DOptions", padding=s.Padding.SAME, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
    g.g.inputs, g.g.outputs = [i], [o]
    f.save(out / "conv_w8.tflite")

    def expect(c):
        padded = np.pad(c["x"], ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
        return {"y": ((windows * (w / 128)).sum((4, 5)) + 0.5).astype(np.float32)}

    r = np.random.RandomState(0)
    cases = [{"x": r.rand(n, 1, 8, 8).astype(np.float32)} for n in (1, 16, 2)]
    yield entry("conv_w8", [x], [y], cases, expect, {"abs": 2e-2, "rel": 0})


def labels(out, w, scans):
    """The digits classifier with TFLite Metadata and the labels of its classes."""
    about = {"name": "digits", "description": "handwritten digits", "version": "1.2.3", "author": "anyinfer", "license": "Apache-2.0", "min_parser_version": "1.0.0"}
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    f = tflitefile.File()
    i, o = ("image", "float32", [1, 1, 8, 8]), ("scores", "float32", [1, 10])
    tflitefile.add_layers(f.graph(), digits.layers(w), i, o)
    files = [metadata.file("labels_de.txt", metadata.AXIS_LABELS, "de"), metadata.file("labels.txt", metadata.AXIS_LABELS)]
    graph = metadata.table(s0="main", s3=[metadata.table(s0="scores", s1="a probability each", s6=files)])
    fields = dict(zip(("s0", "s1", "s2", "s4", "s5", "s7"), about.values()))
    f.metadata("TFLITE_METADATA", metadata.pack(metadata.table(s3=[graph], **fields)))
    f.metadata("min_runtime_version", b"1.5.0".ljust(16, b"\0"))
    f.save(out / "labels.tflite")
    metadata.append(out / "labels.tflite", {"labels.txt": "\n".join(names) + "\n", "labels_de.txt": "null\neins\n"})
    x = digits.scale(scans)
    e = entry("labels", [i], [o], [{"image": x[:1]}], lambda c: runtimes.onnx([out / "digits.onnx"], c), models.FLOAT, metadata={"tflite": {**about, "min_runtime_version": "1.5.0"}})
    e["outputs"][0]["labels"] = names
    yield e
