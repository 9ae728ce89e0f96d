# SPDX-License-Identifier: Apache-2.0
"""Makes the expected results in this folder.

    python make.py [NAME...]

Each gen_NAME.py beside this file has a function make(out), which writes to the folder
out, NAME here: pictures as PNG, tensors as .npy, everything else as NAME.json. It takes
random numbers from a generator with a fixed seed, so that it makes the same bytes each
time. Expected results come from the package that a test names, never from this project.

It runs in a virtual environment in the user's cache folder, with the packages of
requirements-NAME.txt if there is such a file, else of requirements.txt.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
CLEAN = {**os.environ, "PYTHONPATH": ""}


def environment(requirements):
    """Returns the Python of an environment with these packages and no others."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anyinfer"
    folder = cache / ("references-" + hashlib.sha256(requirements.read_bytes()).hexdigest()[:12])
    python = folder / "bin/python"
    if not (folder / "made").exists():
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", requirements], env=CLEAN, check=True)
        (folder / "made").touch()
    return python


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(p.stem.removeprefix("gen_") for p in HERE.glob("gen_*.py")):
        out, own = HERE / name, HERE / f"requirements-{name}.txt"
        out.mkdir(exist_ok=True)
        python = environment(own if own.exists() else HERE / "requirements.txt")
        program = f"import pathlib, gen_{name}; gen_{name}.make(pathlib.Path({str(out)!r}))"
        subprocess.run([python, "-c", program], cwd=HERE, env=CLEAN, check=True)
        print(name, sum(p.stat().st_size for p in out.iterdir()), "bytes")
