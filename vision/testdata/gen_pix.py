# SPDX-License-Identifier: Apache-2.0
"""Pictures and what OpenCV, Pillow, scikit-image and NumPy make of them."""

import json

import cv2
import numpy as np
from PIL import Image, ImageOps
from skimage.transform import SimilarityTransform


def scene(w, h, rng):
    """Gradients, noise, and letters with hard edges."""
    y, x = np.mgrid[0:h, 0:w]
    p = np.stack([x * 255 / max(w - 1, 1), y * 255 / max(h - 1, 1), (x + y) * 7 % 256], -1).astype(np.uint8)
    n = h // 3
    p[h - n:, :w // 2] = rng.integers(0, 256, p[h - n:, :w // 2].shape)
    for i, color in enumerate([(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255)]):
        cv2.putText(p, "Rg5%", (2 + i * w // 5, 2 + (i + 1) * h // 6), cv2.FONT_HERSHEY_SIMPLEX, h / 160, color, 1)
    return p


def shorter(w, h, short):
    return (short, int(short * h / w)) if w <= h else (int(short * w / h), short)


def make(out):
    rng = np.random.default_rng(18)
    pictures = {"scene": scene(97, 61, rng), "tall": scene(23, 140, rng), "wide": scene(301, 9, rng),
                "line": scene(40, 1, rng), "dot": scene(1, 1, rng)}
    for name, p in pictures.items():
        Image.fromarray(p).save(out / f"{name}.png", optimize=True)
    alpha = np.dstack([pictures["scene"], rng.integers(0, 256, pictures["scene"].shape[:2], np.uint8)])
    alpha[:20, :, 3] = 255
    Image.fromarray(alpha).save(out / "alpha.png", optimize=True)

    cases = []

    def case(name, picture, want, tolerance, **recipe):
        np.save(out / f"{name}.npy", np.ascontiguousarray(want))
        cases.append(dict(Name=name, Picture=picture, Tolerance=tolerance, Input=recipe))

    # By the number of vision.Filter. Before Pillow 13 the first pass is always the horizontal one; it matters
    # only where the height shrinks much more than the width, and colors beyond black and white are cut off.
    filters = {
        0: lambda p, size: cv2.resize(p, size, interpolation=cv2.INTER_LINEAR).reshape(size[1], size[0], 3),
        1: lambda p, size: np.array(Image.fromarray(p).resize(size, Image.Resampling.BILINEAR)),
        2: lambda p, size: np.array(Image.fromarray(p).resize(size, Image.Resampling.BICUBIC)),
        3: lambda p, size: cv2.resize(p, size, interpolation=cv2.INTER_NEAREST).reshape(size[1], size[0], 3),
    }
    for f, resize in filters.items():
        for picture, size in [("scene", (48, 30)), ("scene", (31, 45)), ("scene", (120, 33)), ("scene", (7, 5)),
                              ("tall", (16, 16)), ("wide", (20, 12)), ("line", (13, 4)), ("dot", (5, 3))]:
            case(f"{picture}_{f}_{size[0]}x{size[1]}", picture, resize(pictures[picture], size), 0, Filter=f)
    for picture, size in [("scene", (48, 30)), ("scene", (31, 45)), ("scene", (150, 70)), ("scene", (7, 5)), ("tall", (16, 16)), ("dot", (5, 3))]:
        case(f"{picture}_area_{size[0]}x{size[1]}", picture, cv2.resize(pictures[picture], size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], 3), 1, Filter=5)

    case("same", "scene", pictures["scene"], 0)

    # The same with the parts around it, which are computed here as the original code does it.
    p = pictures["scene"]
    h, w = p.shape[:2]
    size = 40
    r = min(size / w, size / h)
    nw, nh = round(w * r), round(h * r)
    dw, dh = (size - nw) / 2, (size - nh) / 2
    box = cv2.copyMakeBorder(filters[0](p, (nw, nh)), round(dh - 0.1), round(dh + 0.1), round(dw - 0.1), round(dw + 0.1),
                             cv2.BORDER_CONSTANT, value=(114,) * 3)
    case("letterbox", "scene", box, 0, Fit=1, Pad=114)
    box = np.full((size, size, 3), 114, np.uint8)
    box[:int(h * r), :int(w * r)] = filters[0](p, (int(w * r), int(h * r)))
    case("corner", "scene", box, 0, Fit=2, Pad=114)
    for short, filt in [(32, 1), (40, 2)]:
        nw, nh = shorter(w, h, short)
        left, top = round((nw - 32) / 2), round((nh - 32) / 2)
        case(f"crop_{short}", "scene", filters[filt](p, (nw, nh))[top:top + 32, left:left + 32], 0, Fit=3, Filter=filt, Short=short)

    # Upright, from the EXIF orientation.
    small = Image.fromarray(scene(6, 4, rng))
    for o in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = o
        small.save(out / f"turn_{o}.png", exif=exif)
        upright = np.array(ImageOps.exif_transpose(Image.open(out / f"turn_{o}.png")))
        case(f"turn_{o}", f"turn_{o}", upright, 0)
    case("turn_webp", "turn.webp", upright, 0)
    small.save(out / "turn.webp", exif=exif, lossless=True)
    case("turn_tiff", "turn.tiff", upright, 0)
    small.save(out / "turn.tiff", exif=exif)

    # Alpha on black, and gray.
    black = Image.new("RGBA", (w, h), (0, 0, 0, 255))
    black.alpha_composite(Image.fromarray(alpha))
    case("alpha", "alpha", cv2.resize(np.array(black.convert("RGB")), (40, 25)), 2)
    case("gray", "scene", cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[..., None], 0)

    # Normalized.
    mean, std = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])
    t = pictures["tall"]
    case("blob", "tall", cv2.dnn.blobFromImage(t, 1 / 255), 1e-6, Std=[255] * 3)
    case("blob_bgr", "tall", cv2.dnn.blobFromImage(t, 1 / 128, mean=(127.5,) * 3, swapRB=True), 1e-6, Mean=[127.5] * 3, Std=[128] * 3, BGR=True)
    norm = (t.astype(np.float64) - mean) / std
    case("imagenet", "tall", norm.astype(np.float32)[None], 1e-6, Mean=mean.tolist(), Std=std.tolist())
    case("imagenet_half", "tall", norm.transpose(2, 0, 1)[None].astype(np.float32).astype(np.float16), 0, Mean=mean.tolist(), Std=std.tolist())
    case("imagenet_bgr", "tall", norm[..., ::-1].astype(np.float32)[None], 1e-6, Mean=mean.tolist(), Std=std.tolist(), BGR=True)

    # Warps; the matrix is OpenCV's.
    warps = []
    for i, m in enumerate([[[0.5, 0.2, 3], [-0.2, 0.5, 12]], [[1, 0, -30.25], [0, 1, -7.5]], [[1.7, -0.9, -20], [0.9, 1.7, -60]]]):
        np.save(out / f"warp_{i}.npy", cv2.warpAffine(p, np.float64(m), (36, 32), flags=cv2.INTER_LINEAR, borderValue=0))
        warps.append(dict(Name=f"warp_{i}", Matrix=np.ravel(m).tolist()))
    arcface = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    similarities = []
    for _ in range(8):
        a, s = rng.uniform(-3, 3), rng.uniform(0.2, 4)
        turn = s * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        points = np.float32(np.array(arcface) @ turn + rng.uniform(0, 900, 2) + rng.normal(0, 3 * s, (5, 2)))
        fit = SimilarityTransform.from_estimate(points, np.float32(arcface))
        similarities.append(dict(From=points.tolist(), To=arcface, Want=fit.params[:2].ravel().tolist()))

    # Sizes and maps of other fits: rounding shows at such sizes.
    places = []
    sizes = [(1920, 1080), (1280, 721), (1080, 1920), (640, 480), (500, 375), (333, 500), (1281, 721), (810, 1080), (1, 1), (1, 700), (30000, 3), (1279, 853)]
    for (w, h), (W, H) in [(s, t) for s in sizes for t in [(640, 640), (416, 416), (640, 384), (224, 224)]]:
        r = min(H / h, W / w)
        nw, nh = max(round(w * r), 1), max(round(h * r), 1)
        left, top = round((W - nw) / 2 - 0.1), round((H - nh) / 2 - 0.1)
        back = lambda x, y: [(x - left) / (nw / w), (y - top) / (nh / h)]
        places.append(dict(Fit=1, Picture=[w, h], Input=[W, H], At=[left, top, left + nw, top + nh], Back=back(W, H)))
        nw, nh = max(int(w * r), 1), max(int(h * r), 1)
        places.append(dict(Fit=2, Picture=[w, h], Input=[W, H], At=[0, 0, nw, nh], Back=[W / r, H / r]))
        if W == H and max(w, h) < 3000 and min(w, h) > 1:
            nw, nh = shorter(w, h, W)
            left, top = int(round((nw - W) / 2.0)), int(round((nh - H) / 2.0))
            places.append(dict(Fit=3, Picture=[w, h], Input=[W, H], At=[0, 0, W, H], Back=[(W + left) / (nw / w), (H + top) / (nh / h)]))
    text = json.dumps(dict(Cases=cases, Warps=warps, Similarities=similarities, Places=places), indent=0)
    (out / "pix.json").write_text(text + "\n")
