# SPDX-License-Identifier: Apache-2.0
"""Makes everything in this folder except itself; see README.md.

    python make.py [--train] [--out DIR]
"""

import argparse
import hashlib
import importlib.metadata
import json
from pathlib import Path

import numpy as np

from gen import digits, mnnonly, models, quantize, reffile, runtimes, tfliteonly

HERE = Path(__file__).parent
PHOTO_SHA256 = "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a"


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--train", action="store_true", help="train the digits net anew")
    args.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: this one)")
    args = args.parse_args()
    out = args.out
    (out / "expected").mkdir(parents=True, exist_ok=True)

    weights = HERE / "digits_weights.npz"
    if args.train:  # float sums differ from processor to processor: the weights are kept
        np.savez(weights, **digits.train())
    w = dict(np.load(weights))
    _, _, scans, labels = digits.scans()
    np.save(out / "scans.npy", scans)
    np.save(out / "scans_labels.npy", labels)
    copy_photo(out / "photo.png")

    entries = [
        *models.digits_float(out, w, scans),
        *models.digits_int8(out, w, scans),
        *models.edges(out),
        *models.multi(out),
        *models.dtypes(out),
        *models.ranks(out),
        *models.nonzero(out),
        *models.slow(out),
        *models.empty_sum(out),
        *models.table(out),
        *tfliteonly.functions(out, w, scans),
        *tfliteonly.aliases(out),
        *tfliteonly.states(out),
        *tfliteonly.strings(out),
        *tfliteonly.channels(out),
        *tfliteonly.sums(out),
        *tfliteonly.weights8(out),
        *tfliteonly.labels(out, w, scans),
        *mnnonly.rounded(out, scans),
        *mnnonly.planes(out),
        *mnnonly.branch(out),
        *models.classes(out),
    ]
    mnnonly.apart(out)
    for e in entries:
        reffile.add(out, e, w)
        check(out, e)
    x = digits.scale(scans)
    np.save(out / "scans_scores.npy", runtimes.onnx([out / "digits_dynamic.onnx"], {"image": x})["scores"])
    accuracy(out, x, labels)
    for e in entries:
        store(out, e, e["name"])
    (out / "models.json").write_text(dump({"models": entries}))


def copy_photo(path):
    data = Path(importlib.metadata.distribution("scikit-image").locate_file("skimage/data/camera.png")).read_bytes()
    assert hashlib.sha256(data).hexdigest() == PHOTO_SHA256
    path.write_bytes(data)


def check(out, e):
    """Adds the expected outputs to every case and compares the other runtimes with them."""
    expect = e.pop("expect", None) or (lambda x: runtimes.onnx([out / e["files"]["onnx"][0]], x))
    for sig in e.get("signatures", []):
        each = sig.pop("expect")
        sig["cases"] = [(x, pick(each(x), sig)) for x in sig["cases"]]
        for x, want in sig["cases"]:
            got = runtimes.tflite_signature([out / e["files"]["tflite"][0]], sig["name"], x)
            assert sorted(got) == sorted(want), (e["name"], sig["name"], list(got))
            worst_of(got, want, e, sig["name"])
    e["cases"] = [(x, pick(expect(x), e)) for x in e["cases"]]
    line = []
    for fmt, files in e["files"].items():
        if fmt not in runtimes.RUN or not e["cases"]:
            continue
        if fmt == "mnn" and "npy" in e["inputs"][0]:  # MNN's Python has no bfloat16
            continue
        worst = 0
        for x, want in e["cases"]:
            got = runtimes.RUN[fmt]([str(out / f) for f in files], x)
            assert list(got) == list(want), (e["name"], fmt, list(got))
            worst = max(worst, worst_of(got, want, e, fmt))
        line.append(f"{fmt} {worst:.2g}")
    if "stream" in e:
        for fmt in e["files"].keys() & runtimes.STREAM.keys():
            got = runtimes.STREAM[fmt](out / e["files"][fmt][0], [x for x, _ in e["cases"]])
            line.append(f"{fmt} in a row {max(worst_of(g, w, e, 'stream') for g, w in zip(got, e['stream'])):.2g}")
    print(f"{e['name']:18}", ", ".join(line) or "no cases")


def worst_of(got, want, e, where):
    return max(compare(got[k], want[k], e["tolerance"], (e["name"], where, k)) for k in want)


def pick(outputs, e):
    return {o["name"]: outputs[o["name"]] for o in e["outputs"]}


def compare(got, want, tolerance, where):
    """The largest difference, in quantization steps for integers; fails beyond the tolerance."""
    assert got.dtype == want.dtype and got.shape == want.shape, (where, got.dtype, got.shape, want.dtype, want.shape)
    if got.dtype == object:
        assert list(got) == list(want), (where, got, want)
        return 0
    if got.tobytes() == want.tobytes():
        return 0
    a, b = got.astype(np.float64), want.astype(np.float64)
    assert np.isfinite(a).all() and np.isfinite(b).all(), (where, got, want)
    limit = tolerance["steps"] if "steps" in tolerance else tolerance["abs"] + tolerance["rel"] * np.abs(b)
    assert (np.abs(a - b) <= limit).all(), (where, np.abs(a - b).max())
    return np.abs(a - b).max()


def accuracy(out, x, labels):
    """Prints how many held-back scans each runtime and precision gets right."""
    runs = [(f, "digits_dynamic", x) for f in runtimes.RUN] + [("onnx", "digits_qdq", x), ("openvino", "digits_qdq", x), ("mnn", "digits_w8", x)]
    runs.append(("tflite", "digits_int8", quantize.quantize(x, quantize.INPUT)))
    for fmt, name, images in runs:
        files = [str(out / (name + suffix)) for suffix in models.SUFFIXES[fmt]]
        batches = [images] if name == "digits_dynamic" else [images[k : k + 1] for k in range(len(images))]
        scores = np.concatenate([runtimes.RUN[fmt](files, {"image": b})["scores"] for b in batches])
        print(f"{name} {fmt}: {(scores.argmax(1) == labels).mean():.2%} of {len(labels)} held-back scans")


def store(out, e, name):
    """Writes a case's arrays and puts their paths in the entry."""
    for k, (x, want) in enumerate(e["cases"]):
        e["cases"][k] = dict(inputs=write(out, f"{name}_{k}", x), outputs=write(out, f"{name}_{k}", want))
    for k, want in enumerate(e.get("stream", [])):
        e["stream"][k] = write(out, f"{name}_stream_{k}", want)
    for sig in e.get("signatures", []):
        store(out, sig, f"{name}_{sig['name']}")


def write(out, name, arrays):
    """Writes arrays and returns their paths by name; strings, which .npy files cannot have, are listed in place."""
    paths = {}
    for n, a in arrays.items():
        paths[n] = list(a) if a.dtype == object else f"expected/{name.replace('/', '_')}_{n}.npy"
        if a.dtype != object:
            np.save(out / paths[n], np.ascontiguousarray(a) if a.ndim else a)
    return paths


def dump(value, indent=0):
    """JSON with one line for everything that fits on one."""
    flat = json.dumps(value)
    if len(flat) + indent <= 120 or not isinstance(value, (dict, list)):
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        body = (f"{json.dumps(k)}: {dump(v, indent + 2)}" for k, v in value.items())
    else:
        body = (dump(v, indent + 2) for v in value)
    left, right = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return f"{left}\n{pad}" + f",\n{pad}".join(body) + f"\n{' ' * indent}{right}" + ("\n" if indent == 0 else "")


if __name__ == "__main__":
    main()
