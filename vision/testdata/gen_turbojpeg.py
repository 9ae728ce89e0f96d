# SPDX-License-Identifier: Apache-2.0
"""JPEG files, and the pixels that Pillow and OpenCV decode, which agree."""

import cv2
import numpy as np
from PIL import Image


def make(out):
    y, x = np.mgrid[0:75, 0:101]
    photo = np.stack([128 + 100 * np.sin(x / 9), 128 + 100 * np.cos(y / 7), (x * 5 + y * 3) % 256], -1)
    photo[20:50, 30:60] = np.random.default_rng(1).integers(0, 256, (30, 30, 3))
    photo = Image.fromarray(photo.astype(np.uint8))
    for name, options in {
        "420": {"subsampling": "4:2:0"},
        "422progressive": {"subsampling": "4:2:2", "progressive": True},
        "444": {"subsampling": "4:4:4"},
    }.items():
        file = str(out / (name + ".jpg"))
        photo.save(file, quality=85, **options)
        pixels = np.asarray(Image.open(file).convert("RGB"))
        assert (pixels == cv2.imread(file)[:, :, ::-1]).all(), name
        Image.fromarray(pixels).save(out / (name + ".png"), optimize=True)
