# SPDX-License-Identifier: Apache-2.0
"""For each line of standard input, tracks the boxes of the next frame with supervision, and prints the nanoseconds and the number of tracks."""
import json
import os
import sys
import time
import warnings

os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np

warnings.simplefilter("ignore")
from supervision.tracker.byte_tracker.core import ByteTrack

frames = [np.array(rows, np.float32) for rows in json.load(open(sys.argv[1]))]
tracker = ByteTrack()
for n, _ in enumerate(sys.stdin):
    start = time.perf_counter_ns()
    found = tracker.update_with_tensors(frames[n % len(frames)])
    print(time.perf_counter_ns() - start, len(found), flush=True)
