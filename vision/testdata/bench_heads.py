# SPDX-License-Identifier: Apache-2.0
"""For each line of standard input, decodes a YOLOv8 output with NumPy and OpenCV, and prints the nanoseconds."""
import sys
import time

import cv2
import numpy as np

cv2.setNumThreads(1)
out = np.fromfile(sys.argv[1], np.float32).reshape(1, 84, 8400)
for _ in sys.stdin:
    start = time.perf_counter_ns()
    table = out[0]
    best = table[4:].max(0)
    kept = np.flatnonzero(best >= 0.25)
    boxes, scores, classes = table[:4, kept].T, best[kept], table[4:, kept].argmax(0)
    corners = boxes.copy()
    corners[:, :2] -= boxes[:, 2:] / 2
    found = cv2.dnn.NMSBoxesBatched(corners, scores, classes.astype(np.int32), 0.25, 0.7)
    print(time.perf_counter_ns() - start, len(found), flush=True)
