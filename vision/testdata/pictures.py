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


def hand():
    """A left hand, its palm to the viewer: spheres along the bones, lit from the left above."""
    points = "200,430,34 150,400,32 115,355,24 92,310,20 74,272,16 150,270,24 140,205,19 135,165,17 131,130,14 195,258,24 193,185,19 192,140,17 191,100,15 " \
        "238,266,24 244,198,18 248,157,16 251,122,14 276,288,22 292,235,16 301,203,14 309,174,12 200,500,44"
    points = [np.array([float(v) for v in p.split(",")]) for p in points.split()]
    y, x = np.mgrid[0:480, 0:400].astype(float)
    squares = np.zeros(x.shape)
    for bone in "0 1 2 3 4,5 6 7 8,9 10 11 12,13 14 15 16,17 18 19 20,5 0 9 5,13 0 17 13,9 13,1 5,0 21".split(","):
        joints = [points[int(i)] for i in bone.split()]
        for a, b in zip(joints, joints[1:]):
            for t in np.linspace(0, 1, 24):
                cx, cy, r = (1 - t) * a + t * b
                squares = np.maximum(squares, r * r - (x - cx) ** 2 - (y - cy) ** 2)
    slope_y, slope_x = np.gradient(cv2.GaussianBlur(np.sqrt(squares), (0, 0), 4))
    light = np.clip((0.8 + 0.4 * slope_x + 0.5 * slope_y) / 1.025 / np.sqrt(1 + slope_x**2 + slope_y**2), 0, 1)[..., None]
    skin = np.array([224, 172, 145]) * (0.35 + 0.7 * light) + np.array([25, 5, 0]) * (1 - light)
    return skin, cv2.GaussianBlur((squares > 0).astype(float), (0, 0), 1)


def hands():
    """Two turned hands, a left and a right one."""
    skin, shape = hand()
    y, x = np.mgrid[0:400, 0:640]
    picture = np.stack([150 + y // 10, 165 + x // 20, 175 + y // 20], -1).astype(float)
    for angle, scale, at, mirrored in (25, 0.8, (170, 210), False), (-50, 0.7, (440, 220), True):
        m = cv2.getRotationMatrix2D((200, 260), angle, scale)
        m[:, 2] += np.array(at) - (200, 260)
        layers = [cv2.warpAffine(a[:, ::-1] if mirrored else a, m, (640, 400)) for a in (skin, shape)]
        picture += layers[1][..., None] * (layers[0] - picture)
    return np.clip(picture, 0, 255).astype(np.uint8)


def sideways():
    return np.ascontiguousarray(np.rot90(report(), -1))


def rounded(values):
    return [round(float(v), 3) for v in values]


def dumps(expected):
    lines = (f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in sorted(expected.items()))
    return "{\n" + ",\n".join(lines) + "\n}\n"
