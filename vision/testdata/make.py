# SPDX-License-Identifier: Apache-2.0
"""Makes the expected results in this folder.

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python make.py [NAME...]

Each gen_NAME.py beside this file has a function make(out), which writes to the folder
out, NAME here: pictures as PNG, tensors as .npy, everything else as NAME.json. It takes
random numbers from a generator with a fixed seed, so that it makes the same bytes each
time. Expected results come from the package that a test names, never from this project.
"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent

if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(p.stem.removeprefix("gen_") for p in HERE.glob("gen_*.py")):
        out = HERE / name
        out.mkdir(exist_ok=True)
        importlib.import_module("gen_" + name).make(out)
        print(name, sum(p.stat().st_size for p in out.iterdir()), "bytes")
