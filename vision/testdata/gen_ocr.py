# SPDX-License-Identifier: Apache-2.0
"""What rapidocr-onnxruntime reads in pages, and what OpenCV, pyclipper and it make of single steps."""
import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rapidocr_onnxruntime import RapidOCR
from rapidocr_onnxruntime.ch_ppocr_det.utils import DBPostProcess
from rapidocr_onnxruntime.ch_ppocr_rec.utils import CTCLabelDecode

from pictures import STORY, dumps, large, page, rounded, text

FONTS = {
    "sans": ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf"),
    "serif": ("matplotlib", "mpl-data/fonts/ttf/DejaVuSerif.ttf"),
    "mono": ("matplotlib", "mpl-data/fonts/ttf/DejaVuSansMono.ttf"),
    "bold": ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans-Bold.ttf"),
    "chinese": ("pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"),
    "song": ("pylopdf_fonts_zh_cn", "NotoSerifSC-Regular.otf"),
}
CHINESE = (
    "照片是由颜色组成的网格，而网络需要的是数字。", "训练时怎样处理照片，使用时也要怎样处理。", "首先是大小：有的模型把照片压成正方形，",
    "有的保持形状，并用灰色填充剩下的部分。", "相差一个像素，所有的方框都会移动。", "最后，方框回到照片上：减去边框，再除以比例。",
    "今天气温二十三度，明天有小雨。", "订单编号：20261130-0457", "电话 010-6552 8899 转 3", "价格￥128.50元，数量3件，合计385.50元",
)


def font(name, size):
    package, file = FONTS[name]
    return ImageFont.truetype(str(Path(importlib.util.find_spec(package).submodule_search_locations[0]) / file), size)


def english():
    picture = Image.new("L", (900, 1000), 255)
    draw, y = ImageDraw.Draw(picture), 30
    words = iter(" ".join(STORY * 2).split())
    for i in range(24):
        size = (16, 18, 20, 24, 28, 34)[i % 6]
        face, line = font(("sans", "serif", "mono", "bold")[i % 4], size), ""
        while draw.textlength(line, face) < 640:
            line += next(words) + " "
        draw.text((30 + i % 3 * 9, y), line.strip(), 20, face)
        y += size + 16
    return picture


def chinese():
    picture = Image.new("L", (860, 760), 245)
    draw, y = ImageDraw.Draw(picture), 30
    for i, line in enumerate(CHINESE * 2):
        size = (20, 24, 28, 22)[i % 4]
        draw.text((40, y), line, 0, font(("chinese", "song")[i // 2 % 2], size))
        y += size + 12
    return picture


def receipt():
    picture = Image.new("L", (420, 700), 250)
    draw, y = ImageDraw.Draw(picture), 24
    draw.text((110, y), "CORNER SHOP", 0, font("bold", 24))
    goods = "Apples,Bread,Butter,Cheese,Coffee beans,Dark chocolate,Eggs,Flour,Green tea,Honey,Lemons,Milk,Olive oil,Pasta,Rice".split(",")
    for i, name in enumerate(goods):
        y = 80 + i * 34
        draw.text((30, y), name, 0, font("mono", 18))
        draw.text((300, y), f"{(i * 137 + 95) % 900 / 10 + 1:.2f}", 0, font("mono", 18))
    draw.text((30, 610), "TOTAL", 0, font("bold", 22))
    draw.text((290, 610), "739.80", 0, font("bold", 22))
    draw.text((30, 655), "2026-11-30 18:24:07 No. 00481516", 60, font("sans", 16))
    return picture


def tilted(angle=8):
    small = english().crop((0, 0, 900, 600))
    return small.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def turned():
    """Upside down."""
    return Image.fromarray(np.ascontiguousarray(np.asarray(receipt())[::-1, ::-1]))


def signs():
    picture = Image.new("RGB", (800, 620), (40, 70, 60))
    for i, (line, angle, size, x, y, color) in enumerate((
        ("NO PARKING", 12, 48, 40, 40, "white"), ("OPEN 24 HOURS", -18, 40, 400, 40, "yellow"), ("Exit 27B", 30, 56, 60, 250, "orange"),
        ("欢迎光临", -10, 60, 420, 250, "white"), ("Platform 9", 90, 44, 720, 300, "cyan"), ("小心台阶", 20, 44, 90, 480, "pink"), ("SALE -50%", 0, 64, 360, 500, "red"),
    )):
        face = font(("bold", "sans", "chinese")[2 if ord(line[0]) > 255 else i % 2], size)
        plate = Image.new("L", (int(face.getlength(line)) + 20, size + 24), 0)
        ImageDraw.Draw(plate).text((10, 4), line, 255, face)
        plate = plate.rotate(angle, Image.Resampling.BICUBIC, expand=True)
        picture.paste(Image.new("RGB", plate.size, color), (x, y), plate)
    return picture


def strip():
    """Wider than 8 times its height."""
    picture = Image.new("L", (620, 44), 255)
    ImageDraw.Draw(picture).text((12, 8), "A long line on a narrow strip: 1234567890", 0, font("serif", 24))
    return picture


def small():
    """Lower than 30 pixels."""
    picture = Image.new("L", (150, 27), 255)
    ImageDraw.Draw(picture).text((6, 2), "Small text", 0, font("sans", 19))
    return picture


PAGES = english, chinese, receipt, tilted, turned, signs, strip, small


def read(reader, picture):
    found, _ = reader(np.ascontiguousarray(picture[:, :, ::-1]))
    return [{"quad": rounded(np.ravel(quad)), "text": line, "score": round(float(score), 5)} for quad, line, score in found or []]


def steps(out, reader):
    rng = np.random.default_rng(20)
    db, expected = DBPostProcess(0.3, 0.5, 1000, 1.6, "fast", True), {}

    # A map with turned rectangles, some with holes, and noise.
    canvas = np.zeros((360, 480), np.float32)
    for _ in range(40):
        box = ((rng.uniform(20, 460), rng.uniform(20, 340)), (rng.uniform(8, 60), rng.uniform(5, 20)), rng.uniform(0, 180))
        cv2.fillPoly(canvas, [cv2.boxPoints(box).astype(np.int32)], rng.uniform(0.35, 1))
    canvas[::23, ::17] = 0.9
    canvas[rng.random(canvas.shape) < 0.01] = 0
    pixels = np.rint(canvas * 255).astype(np.uint8)
    cv2.imwrite(str(out / "map.png"), pixels)
    canvas = pixels.astype(np.float32) / 255
    for name, kernel in ("borders", None), ("dilated", np.ones((2, 2), np.uint8)):
        mask = (canvas > 0.3).astype(np.uint8)
        contours, _ = cv2.findContours(mask if kernel is None else cv2.dilate(mask, kernel), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        expected[name] = []
        for contour in contours:
            box, side = db.get_mini_boxes(contour)
            if side >= 3:
                expected[name].append({"quad": rounded(np.ravel(box)), "area": round(float(np.prod(cv2.minAreaRect(contour)[1])), 3), "score": round(db.box_score_fast(canvas, box), 5)})

    expected["unclip"] = []
    for _ in range(200):
        rect = ((rng.uniform(50, 900), rng.uniform(50, 900)), (rng.uniform(4, 400), rng.uniform(4, 60)), rng.uniform(0, 90))
        quad = db.get_mini_boxes(cv2.boxPoints(rect))[0]
        expected["unclip"].append({"rect": [*rect[0], *rect[1], rect[2]], "quad": rounded(np.ravel(db.get_mini_boxes(db.unclip(quad))[0]))})

    picture = cv2.resize(rng.integers(0, 256, (12, 16, 3), np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(out / "crops.png"), picture)
    quads = np.float32([[[10, 12], [90, 20], [88, 44], [8, 36]], [[30, 30], [60, 90], [40, 100], [10, 40]], [[120, 10], [140, 10], [140, 100], [120, 100]], [[0, 0], [159, 30], [150, 60], [0, 40]]])
    for i, crop in enumerate(reader.get_crop_img_list(picture, list(quads))):
        cv2.imwrite(str(out / f"crop_{i}.png"), crop)
    expected["crops"] = [rounded(np.ravel(q)) for q in quads]

    logits = rng.random((4, 25, 9)).astype(np.float32)
    logits[:, ::3, 0] += 0.5
    logits[:, 1:, :] += np.float32(0.4) * (logits[:, :-1, :] > 0.8)
    np.save(out / "ctc.npy", logits)
    found = CTCLabelDecode(character=list("abcdefg"))(logits)
    expected["ctc"] = [{"text": line, "score": round(float(score), 6)} for line, score in found]
    return expected


def make(out):
    reader, expected = RapidOCR(), {}
    for picture in PAGES:
        folder = Path(__file__).parents[2] / "testdata" if picture is receipt else out  # which the demo reads
        picture().save(folder / f"{picture.__name__}.png", optimize=True)
        expected[picture.__name__] = read(reader, np.asarray(picture().convert("RGB")))
    for picture in page, text, large:
        expected[picture.__name__] = read(reader, picture())
    (out / "pages.json").write_text(dumps(expected))
    (out / "steps.json").write_text(dumps(steps(out, reader)))
