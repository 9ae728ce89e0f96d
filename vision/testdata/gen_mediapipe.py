# SPDX-License-Identifier: Apache-2.0
"""What MediaPipe finds with its own models: faces, a person's matte, and the points of hands, bodies and faces."""
import json

import cv2
import mediapipe as mp
import numpy as np

from pictures import astronaut, dumps, hands, part, rounded, two


def faces(picture, selection):
    h, w = picture.shape[:2]
    with mp.solutions.face_detection.FaceDetection(0.5, selection) as detector:
        found = detector.process(picture).detections or []
    for f in found:
        b = f.location_data.relative_bounding_box
        points = [v for k in f.location_data.relative_keypoints for v in (k.x * w, k.y * h)]
        box = rounded([b.xmin * w, b.ymin * h, (b.xmin + b.width) * w, (b.ymin + b.height) * h])
        yield {"box": box, "score": round(f.score[0], 6), "label": "face", "points": rounded(points)}


def landmarks(result, w, h):
    """The points of each hand, body or face: x, y and z in pixels, and their visibility."""
    one = getattr(result, "pose_landmarks", None)
    several = getattr(result, "multi_hand_landmarks", None) or getattr(result, "multi_face_landmarks", None) or ([one] if one else [])
    sides = getattr(result, "multi_handedness", None) or [None] * len(several)
    for found, side in zip(several, sides):
        values = {"points": [round(v, 2) for p in found.landmark for v in (p.x * w, p.y * h)], "z": [round(p.z * w, 2) for p in found.landmark]}
        if one:
            values["visibility"] = rounded(p.visibility for p in found.landmark)
        if side:
            values |= {"label": side.classification[0].label, "score": round(side.classification[0].score, 4)}
        yield values


def video(picture):
    """Parts of a picture that move to the left and up."""
    for i in range(5):
        yield np.ascontiguousarray(picture[4 * i : picture.shape[0] - 20 + 4 * i, 7 * i : picture.shape[1] - 30 + 7 * i])


SOLUTIONS = {
    "hands": (mp.solutions.hands.Hands, {"max_num_hands": 2}, [hands]),
    "pose": (mp.solutions.pose.Pose, {}, [astronaut, part]),
    "mesh": (mp.solutions.face_mesh.FaceMesh, {"max_num_faces": 2}, [astronaut, part]),
}


def skeletons():
    """The names of points, and the lines between them."""
    for names, lines in (
        (mp.solutions.hands.HandLandmark, mp.solutions.hands.HAND_CONNECTIONS),
        (mp.solutions.pose.PoseLandmark, mp.solutions.pose.POSE_CONNECTIONS),
        ([], mp.solutions.face_mesh.FACEMESH_CONTOURS),
    ):
        yield {"names": [n.name.lower().replace("_", " ") for n in names], "lines": sorted(sorted(line) for line in lines)}


def make_landmarks(out):
    expected = {}
    for name, (solution, options, pictures) in SOLUTIONS.items():
        for picture in pictures:
            with solution(static_image_mode=True, **options) as s:
                h, w = picture().shape[:2]
                expected[f"{name} {picture.__name__}"] = list(landmarks(s.process(picture()), w, h))
        with solution(**options) as s:
            for i, frame in enumerate(video(pictures[0]())):
                expected[f"{name} video {i}"] = [{k: v for k, v in f.items() if k == "points"} for f in landmarks(s.process(frame), frame.shape[1], frame.shape[0])]
    (out / "landmarks.json").write_text(dumps(expected))
    (out / "skeletons.json").write_text(json.dumps(list(skeletons())) + "\n")
    cv2.imwrite(str(out / "hands.png"), hands()[..., ::-1])


def make(out):
    make_landmarks(out)
    expected = {}
    for selection, model in enumerate(["face_detection_short_range", "face_detection_full_range_sparse"]):
        for picture in astronaut, part, two:
            expected[f"{model} {picture.__name__}"] = list(faces(picture(), selection))
    (out / "mediapipe.json").write_text(dumps(expected))
    with mp.solutions.selfie_segmentation.SelfieSegmentation(0) as segmenter:
        mask = segmenter.process(astronaut()).segmentation_mask
    cv2.imwrite(str(out / "selfie.png"), np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8))
