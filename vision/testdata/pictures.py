# SPDX-License-Identifier: Apache-2.0
"""What gen_mediapipe.py and gen_models.py share: the pictures, in RGB, of which models_test.go has the same, and the form of results."""
import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SKIMAGE = Path(importlib.util.find_spec("skimage").submodule_search_locations[0])


def read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def astronaut():
    return read(SKIMAGE / "data/astronaut.png")


def page():
    return read(SKIMAGE / "data/page.png")


def text():
    return read(SKIMAGE / "data/text.png")


def two():
    """The astronaut and her mirror image."""
    return np.ascontiguousarray(np.hstack([astronaut(), astronaut()[:, ::-1]]))


def part():
    return np.ascontiguousarray(astronaut()[:300, 60:401])


def letters():
    """Letters on waves, of a width and height that no model has."""
    y, x = np.mgrid[0:201, 0:523]
    waves = np.stack([200 + 40 * np.sin(x / 37), 190 + 40 * np.cos(y / 23), 180 + 50 * np.sin((x + y) / 51)], -1)
    picture = Image.fromarray(waves.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for letter, x, y, size, color in ("A", 30, 50, 90, "navy"), ("k", 150, 80, 100, "maroon"), ("7", 280, 30, 70, "black"), ("S", 400, 100, 95, "darkgreen"):
        draw.text((x, y), letter, color, ImageFont.load_default(size))
    return np.asarray(picture)


def rounded(values):
    return [round(float(v), 3) for v in values]


def dumps(expected):
    lines = (f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in sorted(expected.items()))
    return "{\n" + ",\n".join(lines) + "\n}\n"
