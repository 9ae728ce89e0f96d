# SPDX-License-Identifier: Apache-2.0
"""Reads a page with RapidOCR, with OpenCV and ONNX Runtime each on one thread.

It reads a number from each line of standard input, and does it as often, printing the nanoseconds.
"""
import sys
import time

import cv2
from rapidocr_onnxruntime import RapidOCR

cv2.setNumThreads(1)
page = cv2.imread(sys.argv[1])
reader = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
for line in sys.stdin:
    for _ in range(int(line)):
        start = time.perf_counter_ns()
        reader(page)
        print(time.perf_counter_ns() - start, flush=True)
