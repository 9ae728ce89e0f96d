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


def large():
    """The page with pixels of 6 by 6, so that a pixel of the picture is a small part of one of an input."""
    return page().repeat(6, 0).repeat(6, 1)


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


STORY = (
    "A photo is a grid of colours, and a network wants numbers: so many rows, so many columns, from zero to one or around zero, red first or blue first. "
    "What was done with the photos of the training has to be done with yours. Nobody is told when it is not: the boxes are only a little off, and the scores a little low.",
    "So the size comes first. Some models squeeze the photo into their square. Others keep its shape and fill what is left with grey, in the middle or at the bottom and at the right. "
    "One pixel more or less moves all boxes, and a box that was just good enough is gone.",
    "Then come the numbers in between. Two pixels become one by weights, and programs differ in them, in where they say that a pixel is, and in what they do with halves.",
    "At the end the boxes go back to the photo: less the border, divided by the scale. A test that compares all this with the program that trained the model is worth more than a good look.",
)


def report(width=640, height=780):
    """A page with a title, columns of text, and a figure with its caption; its lower right is empty."""
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((width / 2, 70), "From Pixels to Boxes", "black", ImageFont.load_default(34), anchor="mm")
    photo = Image.fromarray(astronaut()).convert("L").resize((250, 250), Image.Resampling.BICUBIC)
    picture.paste(photo, (width // 2 + 15, 130))
    font, caption = ImageFont.load_default(14), ImageFont.load_default(12)
    draw.text((width * 0.75 - 10, 397), "Figure 1: An astronaut, by NASA", "black", caption, anchor="mm")
    x, y = 55, 130
    for paragraph in STORY:
        line = ""
        for word in paragraph.split() + [None]:
            if word is None or draw.textlength(line + " " + word, font) > 245:
                if y > height - 120:
                    x, y = width // 2 + 15, 440
                draw.text((x, y), line, "black", font)
                line, y = "", y + 20
            line = (line + " " + (word or "")).strip()
        y += 22
    return np.asarray(picture)


def sideways():
    return np.ascontiguousarray(np.rot90(report(), -1))


def rounded(values):
    return [round(float(v), 3) for v in values]


def dumps(expected):
    lines = (f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in sorted(expected.items()))
    return "{\n" + ",\n".join(lines) + "\n}\n"
