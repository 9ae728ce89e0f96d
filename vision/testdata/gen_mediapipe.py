# SPDX-License-Identifier: Apache-2.0
"""What MediaPipe finds with its own models: faces, and a person's matte."""
import cv2
import mediapipe as mp
import numpy as np

from pictures import astronaut, dumps, part, rounded, two


def faces(picture, selection):
    h, w = picture.shape[:2]
    with mp.solutions.face_detection.FaceDetection(0.5, selection) as detector:
        found = detector.process(picture).detections or []
    for f in found:
        b = f.location_data.relative_bounding_box
        points = [v for k in f.location_data.relative_keypoints for v in (k.x * w, k.y * h)]
        box = rounded([b.xmin * w, b.ymin * h, (b.xmin + b.width) * w, (b.ymin + b.height) * h])
        yield {"box": box, "score": round(f.score[0], 6), "label": "face", "points": rounded(points)}


def make(out):
    expected = {}
    for selection, model in enumerate(["face_detection_short_range", "face_detection_full_range_sparse"]):
        for picture in astronaut, part, two:
            expected[f"{model} {picture.__name__}"] = list(faces(picture(), selection))
    (out / "mediapipe.json").write_text(dumps(expected))
    with mp.solutions.selfie_segmentation.SelfieSegmentation(0) as segmenter:
        mask = segmenter.process(astronaut()).segmentation_mask
    cv2.imwrite(str(out / "selfie.png"), np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8))
