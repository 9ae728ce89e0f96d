# SPDX-License-Identifier: Apache-2.0
"""Writes heads.json: what other code makes of random outputs of models.

The tensors themselves are not stored: heads_test.go computes the same numbers.
"""
import json
import os

import cv2
import numpy as np
import supervision
from ddddocr.core.detection_engine import DetectionEngine
from rapid_layout.model_handler.pp.post_process import PPPostProcess


def uniform(seed, *shape):
    """Numbers from 0 to 1, the same as those of uniform in heads_test.go."""
    x = np.arange(np.prod(shape), dtype=np.uint64) + (np.uint64(seed) << np.uint64(32))
    x = x * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return ((x >> np.uint64(40)).astype(np.float64) / (1 << 24)).reshape(shape)


def sparse(u, part):
    """Scores of which that part is from 0.25 on, and all others are below 0.2."""
    cut = 1 - part
    return np.where(u > cut, 0.25 + 0.75 * (u - cut) / part, 0.2 * u).astype(np.float32)


def centers(u, size, least, most):
    """Rows of x, y, width, height from rows of four numbers."""
    return np.concatenate([u[..., :2] * size, least + u[..., 2:] * (most - least)], -1).astype(np.float32)


def corners(b):
    return np.concatenate([b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2], -1)


def rows(boxes, scores, classes):
    return [[round(float(v), 4) for v in b] + [round(float(s), 6), int(c)] for b, s, c in zip(boxes, scores, classes)]


def nms():
    boxes = corners(centers(uniform(1, 500, 4), 400, 20, 150))
    classes = (uniform(3, 500) * 5).astype(int)
    out = {}
    for name, scores in ("distinct", uniform(2, 500) + 0.1), ("ties", np.floor(uniform(2, 500) * 10) + 1):
        scores = scores.astype(np.float32)
        sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
        kept = cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, 0.5)
        out[name + " of OpenCV"] = [int(i) for i in kept]
    scores = uniform(2, 500).astype(np.float32)
    table = np.concatenate([boxes, scores[:, None], classes[:, None]], 1)
    kept = np.flatnonzero(supervision.box_non_max_suppression(table, 0.5))
    out["classes of supervision"] = [int(i) for i in kept[np.argsort(-scores[kept])]]
    return out


def yolo(best, boxes, limit):
    """OpenCV's NMS by class of the best class of each box."""
    classes, scores = best.argmax(1), best.max(1)
    sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    kept = cv2.dnn.NMSBoxesBatched(sizes.tolist(), scores.tolist(), classes.tolist(), 0.25, limit)
    kept = sorted(kept, key=lambda i: (-scores[i], i))
    return rows(boxes[kept], scores[kept], classes[kept])


def yolov8():
    boxes = centers(uniform(10, 8400, 4), 60, 80, 100)
    return yolo(sparse(uniform(11, 80, 8400), 300 / (80 * 8400)).T, corners(boxes), 0.7)


def yolov5():
    boxes = centers(uniform(12, 25200, 4), 200, 80, 120)
    scores = sparse(uniform(13, 25200), 300 / 25200)[:, None] * uniform(14, 25200, 8).astype(np.float32)
    return yolo(scores, corners(boxes), 0.45)


def yolox():
    out = np.concatenate([uniform(20, 3549, 2) * 2 - 0.5, uniform(21, 3549, 2) * 3, sparse(uniform(22, 3549), 0.1)[:, None], uniform(23, 3549, 7)], 1)
    engine = object.__new__(DetectionEngine)  # without loading its model
    engine.session = None
    done = engine.demo_postprocess(out.astype(np.float32)[None], (416, 416))[0]
    found = engine.multiclass_nms(corners(done[:, :4]), done[:, 4:5] * done[:, 5:], 0.45, 0.3)
    return rows(found[:, :4], found[:, 4], found[:, 5])


def picodet():
    counts = [7600, 1900, 475, 130]
    scores = [sparse(uniform(30 + i, n, 10), 0.004)[None] for i, n in enumerate(counts)]
    scores = [np.where(s == s.max(-1, keepdims=True), s, 0) for s in scores]  # the reference takes all classes of a box
    boxes = [(uniform(40 + i, n, 32) * 6 - 3).astype(np.float32)[None] for i, n in enumerate(counts)]
    done = PPPostProcess([str(i) for i in range(10)], 0.25, 0.5)
    found, scores, labels = done((800, 608), np.zeros((1, 3, 800, 608), np.float32), scores + boxes)
    return sorted(rows(found, scores, labels), key=lambda r: (-r[4], r[0]))


def masks():
    """Masks in a 300x200 picture that was letterboxed into 160x160: the border is cut off first."""
    protos = (uniform(50, 8, 40, 40) - 0.5).astype(np.float32)
    weights = (uniform(51, 3, 8) - 0.5).astype(np.float32)
    small = np.tensordot(weights, protos, 1)[:, 7:33]  # 200 of 300 rows are 26.7 of 40
    out = []
    for mask, (x0, y0, x1, y1) in zip(small, [(0, 0, 300, 200), (17, 33, 141, 122), (250, 150, 299, 199)]):
        mask = cv2.resize(mask, (300, 200), interpolation=cv2.INTER_LINEAR)[y0:y1, x0:x1] > 0
        out.append({"box": [x0, y0, x1, y1], "bits": np.packbits(mask, axis=1).tobytes().hex()})
    return out


def main():
    all = {f.__name__: f() for f in (nms, yolov8, yolov5, yolox, picodet, masks)}
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "heads.json"), "w") as f:
        f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in all.items()) + "\n}\n")


if __name__ == "__main__":
    main()
