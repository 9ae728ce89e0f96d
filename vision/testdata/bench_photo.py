# SPDX-License-Identifier: Apache-2.0
"""Finds boxes in a JPEG file with a YOLOX, OpenCV and ONNX Runtime, each on one thread.

It reads a number from each line of standard input, and does it as often, printing the nanoseconds.
"""
import sys
import time

import cv2
import numpy as np
import onnxruntime

model, photo, normalized = sys.argv[1], sys.argv[2], sys.argv[3] == "normalized"
cv2.setNumThreads(1)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
name, side = session.get_inputs()[0].name, session.get_inputs()[0].shape[2]
grids = [(s, np.stack(np.meshgrid(np.arange(side // s), np.arange(side // s)), -1).reshape(-1, 2)) for s in (8, 16, 32)]
grid, stride = np.concatenate([g for _, g in grids]), np.concatenate([np.full((len(g), 1), s) for s, g in grids])
mean, std = np.float32([0.485, 0.456, 0.406]) * 255, np.float32([0.229, 0.224, 0.225]) * 255


def find():
    picture = cv2.imread(photo)
    ratio = min(side / picture.shape[0], side / picture.shape[1])
    small = cv2.resize(picture, (int(picture.shape[1] * ratio), int(picture.shape[0] * ratio)), interpolation=cv2.INTER_LINEAR)
    padded = np.full((side, side, 3), 114, np.uint8)
    padded[: small.shape[0], : small.shape[1]] = small
    if normalized:
        padded = (padded[:, :, ::-1] - mean) / std
    x = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32)
    rows = session.run(None, {name: x})[0][0]
    scores = rows[:, 4:5] * rows[:, 5:]
    kept = np.flatnonzero(scores.max(1) >= 0.25)
    rows, scores = rows[kept], scores[kept].max(1)
    sizes = np.exp(rows[:, 2:4]) * stride[kept]
    corners = (rows[:, :2] + grid[kept]) * stride[kept] - sizes / 2
    return cv2.dnn.NMSBoxes(np.hstack([corners, sizes]) / ratio, scores, 0.25, 0.45)


for line in sys.stdin:
    for _ in range(int(line)):
        start = time.perf_counter_ns()
        find()
        print(time.perf_counter_ns() - start, flush=True)
