# SPDX-License-Identifier: Apache-2.0
"""Runs ONNX's own test cases, and a few models of this file, with ONNX Runtime's Python API on one thread, for a test to compare with.

    python operators.py FOLDER

writes FOLDER/cases.json, FOLDER/elements of all tensors, and the models of this file. It prints which cases cannot be
compared, and why: operators.txt has that.
"""

import ctypes
import json
import os
import pickle
import platform
import re
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.loader import load_model_tests

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

# The types of package common, by ONNX's names.
DTYPES = {t: t for t in "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 string".split()}
DTYPES |= {"float": "float32", "double": "float64"}


def type_name(info):
    """Returns ONNX's name of the elements of a tensor, else of the kind of value."""
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        return kind.removesuffix("_type")
    return TensorProto.DataType.Name(info.type.tensor_type.elem_type).lower()


def public():
    """Yields the cases in the package onnx whose models and tensors lie there."""
    for kind in "node", "simple", "pytorch-converted", "pytorch-operator":
        for test in sorted(load_model_tests(kind=kind), key=lambda test: test.name):
            folder = Path(test.model_dir, "test_data_set_0")
            inputs = (folder / f"input_{i}.pb" for i in range(len(list(folder.glob("input_*.pb")))))
            yield test.name, Path(test.model_dir, "model.onnx"), [lambda inputs=inputs: [numpy_helper.to_array(onnx.load_tensor(f)) for f in inputs]]


def some(rng, dtype, *shape):
    """Makes an array of any bits, also of NaNs. The elements of bfloat16 are here uint16, as in package onnx."""
    if dtype == "string":
        texts = ["", "a", "\0b\0", "\u00fc\u4e16\U0001f600", " b\n", "long" * 10000]
        return np.array([texts[i] for i in rng.integers(0, len(texts), int(np.prod(shape)))], object).reshape(shape)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    t = np.dtype("uint16" if dtype == "bfloat16" else DTYPES[dtype])
    return np.frombuffer(rng.bytes(int(np.prod(shape)) * t.itemsize), t).reshape(shape)


def own(folder):
    """Yields cases of what ONNX's lack: other ways from inputs to outputs, and several shapes in turn."""
    rng = np.random.default_rng(0)
    x = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    s = lambda *shape: some(rng, "string", *shape)
    cases = {
        "inputs are outputs": ("(float[2] x, float[N] y, string[N] s) => (float[2] x, float[N] y, string[N] s) {}",
                               [[x(2), x(3), s(3)], [x(2), x(0), s(0)], [x(2), x(4), s(4)]]),
        "input is output too": ("(float[2] x, string[N] s) => (float[2] x, float[2] y, string[N] s, string[N] t) { y = Neg(x) t = Identity(s) }",
                                [[x(2), s(2)], [x(2), s(3)]]),
        "same value twice": ("(float[2] x, float[N] z) => (float[2] y1, float[2] y2, float[N] z1, float[N] z2)"
                             "{ y1 = Neg(x) y2 = Identity(y1) z1 = Neg(z) z2 = Identity(z1) }", [[x(2), x(1)], [x(2), x(3)]]),
        "constants": ("(float[2] x) => (float[3] w, int64[2] sum, string[2] text, float c, float[0] none, float[2] y)"
                      "<float[3] w = {1, 2, 3}, int64[2] a = {5, -6}>"
                      '{ y = Neg(x) sum = Add(a, a) text = Constant<value_strings = ["a", ""]>() c = Constant<value_float = 2.5>() none = Constant<value = float[0] {}>() }',
                      [[x(2)]]),
        "no inputs": ("() => (float[3] w, string[1] text) <float[3] w = {1, 2, 3}> { text = Constant<value_strings = [\"a\"]>() }", [[]]),
        "unused inputs": ("(float[2] unused, string[N] strings, float[A, B] free, float[2] x) => (float[2] y) { y = Neg(x) }",
                          [[x(2), s(1), x(1, 2), x(2)], [x(2), s(0), x(0, 7), x(2)]]),
        "shapes in turn": ("(float[A, B] x) => (float[A, B] y, int64[2] shape, bool[A, B] positive, int64[2, C] places, float sum, float[D] flat)"
                           "{ y = Neg(x) shape = Shape(x) zero = Constant<value_float = 0.0>() positive = Greater(x, zero) places = NonZero(positive)"
                           " sum = ReduceSum<keepdims = 0>(x) one = Constant<value_ints = [-1]>() flat = Reshape(x, one) }",
                           [[x(2, 3)], [x(0, 3)], [x(1, 1)], [x(40, 50)], [x(3, 0)], [x(2, 3)]]),
        "ranks in turn": ("(float[] x) => (float[] y) { y = Neg(x) }", [[x(2)], [x()], [x(2, 3, 1)], [x(0)], [x(2)]]),
        "no elements": ("(float[0, 3] x, float[2, 0] y) => (float[2, 3] product, float[0] flat) { product = MatMul(y, x) one = Constant<value_ints = [0]>() flat = Reshape<allowzero = 1>(x, one) }",
                        [[x(0, 3), x(2, 0)]]),
        "sparse input": ("(sparse_tensor(float[2, 2]) a, float[2, 2] b) => (float[2, 2] y) { y = com.microsoft.SparseToDenseMatMul(a, b) }", []),
        "map input": ("(map(int64, float) odd, float[2] x) => (float[1, 2] y, float[2] z) { y = ai.onnx.ml.DictVectorizer<int64_vocabulary = [1, 2]>(odd) z = Neg(x) }", []),
        "maps out": ("(float[1, 2] x) => (float[1, 2] y, seq(map(int64, float)) odd) { y = Neg(x) odd = ai.onnx.ml.ZipMap<classlabels_int64s = [1, 2]>(x) }", []),
    }
    for t in DTYPES:
        cases["type " + t] = (f"({t}[3] x, {t} scalar, {t}[0] none, {t}[N] any) => ({t}[3] x2, {t} scalar2, {t}[0] none2, {t}[N] any2)"
                              "{ x2 = Identity(x) scalar2 = Identity(scalar) none2 = Identity(none) any2 = Identity(any) }",
                              [[some(rng, t, 3), some(rng, t), some(rng, t, 0), some(rng, t, n)] for n in (2, 0, 300, 2)])
    for name, (graph, sets) in cases.items():
        path = folder / f"{name}.onnx"
        model = onnx.parser.parse_model('<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 3, "com.microsoft": 1]> g ' + graph)
        onnx.save(model, path)
        yield name, path, [lambda arrays=arrays: arrays for arrays in sets]


def run(session, inputs, types):
    """Runs a session, also on bfloat16, which takes another call."""
    if "bfloat16" not in types.values():
        return session.run(None, inputs)
    code = lambda name: TensorProto.DataType.Value(types[name].upper())
    make = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type
    values = session.run_with_ort_values(None, {name: make(x, code(name)) for name, x in inputs.items()})
    read = lambda v: np.frombuffer(ctypes.string_at(v.data_ptr(), 2 * int(np.prod(v.shape()))), np.uint16).reshape(v.shape())
    return [read(v) if v.element_type() == TensorProto.BFLOAT16 else v.numpy() for v in values]


PLACE = r"Exception during initialization: .* was false\. |Fatal error: |Non-zero status .* Status Message: | node with name ''"


def refused(error):
    """Returns the code of ONNX Runtime's error, and its message without places in its source."""
    _, code, text = re.fullmatch(r"(.*?) : (\d+) : (.*)", str(error), re.DOTALL).groups()
    if "locale" in text:
        text = "the system does not have the locale"
    return {"Code": int(code), "Why": re.sub(PLACE, "", text.split("\n")[0])}


def case(name, path, sets, elements):
    """Runs a case. sets are functions that return the arrays of one Run."""
    graph = onnx.load(path).graph
    weights = {i.name for i in graph.initializer}  # which may be inputs, too
    inputs, outputs = [i for i in graph.input if i.name not in weights], graph.output
    types = {i.name: type_name(i) for i in [*inputs, *outputs]}
    described = {"Name": name, "Model": str(path), "Sets": [],
                 "Others": [{i.name: types[i.name] for i in infos if types[i.name] not in DTYPES} for infos in (inputs, outputs)]}

    def stored(name, array):
        if types[name] == "string":
            return {"DType": "string", "Shape": array.shape, "Strings": array.ravel().tolist()}
        begin = elements.tell()
        elements.write(array.tobytes())
        return {"DType": DTYPES[types[name]], "Shape": array.shape, "Begin": begin, "End": elements.tell()}

    try:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(path.read_bytes(), options, ["CPUExecutionProvider"])
    except Exception as e:
        return described | {"Load": refused(e)}
    for arrays in [] if any(described["Others"]) else sets:
        fed = dict(zip((i.name for i in inputs), arrays(), strict=True))
        try:
            runs = [run(session, fed, types) for _ in range(3)]
            described["Random"] = len({pickle.dumps(r) for r in runs}) > 1
            got = dict(zip((i.name for i in outputs), runs[0], strict=True))
        except Exception as e:
            described["Run"], got = refused(e), {}
        described["Sets"].append([{n: stored(n, np.asarray(x)) for n, x in d.items()} for d in (fed, got)])
    return described


def left_out(c):
    """Returns why a case cannot be compared, or None."""
    kinds = {kind for infos in c["Others"] for kind in infos.values()}
    return "type " + ", ".join(sorted(kinds)) if kinds else c.get("Load", c.get("Run", {})).get("Why")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with open(folder / "elements", "wb") as elements:
        cases = [case(*c, elements) for of in (public(), own(folder)) for c in of]
    (folder / "cases.json").write_text(json.dumps({"Version": onnxruntime.__version__, "Cases": cases}))
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, {platform.machine()}: {len(cases)} cases, but not")
    for c in cases:
        if why := left_out(c):
            print(f"{c['Name']}: {why}")
