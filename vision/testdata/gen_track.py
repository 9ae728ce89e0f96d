# SPDX-License-Identifier: Apache-2.0
"""What supervision's ByteTrack makes of sequences of boxes, its filter of measurements, and SciPy of costs."""
import gzip
import json
import warnings

import cv2
import numpy as np
from ddddocr.core.detection_engine import DetectionEngine
from PIL import Image, ImageDraw, ImageFont
from scipy.optimize import linear_sum_assignment

warnings.simplefilter("ignore", FutureWarning)
from supervision.tracker.byte_tracker.core import ByteTrack
from supervision.tracker.byte_tracker.kalman_filter import KalmanFilter


def scene(seed, frames, things, speed=3.0, size=(25, 60), jitter=0.7, miss=0.02, dim=0.0, false=0.0, poles=(), classes=1, room=480, turn=0.0):
    """Boxes of things that move through a room: those behind a pole are not found, some are missed or dim, and some boxes are false."""
    rng = np.random.default_rng(seed)
    alive = []
    for frame in range(frames):
        while len(alive) < things and (frame == 0 or rng.random() < 0.2):
            w = rng.uniform(*size)
            left = rng.random() < 0.5
            x = rng.uniform(0, room) if frame == 0 else -w / 2 if left else room + w / 2
            vx = rng.uniform(0.3, 1) * speed * (1 if left else -1)
            alive.append([x, rng.uniform(60, room - 60), w, w * rng.uniform(1, 2.5), vx, rng.uniform(-0.3, 0.3) * speed, rng.integers(classes), rng.uniform(0.5, 0.95)])
        boxes = []
        for t in alive:
            t[4] += rng.normal() * turn
            t[5] += rng.normal() * turn
            t[0], t[1] = t[0] + t[4], t[1] + t[5]
            if rng.random() < miss or any(abs(t[0] - x) < half for x, half in poles):
                continue
            score = t[7] + rng.normal() * 0.05
            if rng.random() < dim:
                score = rng.uniform(0.02, 0.4)
            x, y, w, h = np.array(t[:4]) + rng.normal(size=4) * jitter
            boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2, score, t[6]])
        alive = [t for t in alive if -80 < t[0] < room + 80 and -80 < t[1] < room + 80]
        for _ in range(rng.poisson(false)):
            x, y, w = rng.uniform(0, room), rng.uniform(0, room), rng.uniform(*size)
            boxes.append([x, y, x + w, y + 1.5 * w, rng.uniform(0.1, 0.6), rng.integers(classes)])
        yield boxes


def leaps(frames):
    """Things that stand still, then are elsewhere for some frames: a lost track is found where a younger one is."""
    rng = np.random.default_rng(50)
    for frame in range(frames):
        away = 1 if 20 <= frame % 50 < 20 + frame // 10 else 0
        boxes = []
        for i in range(4):
            x, y = 40 + 100 * i + away * (18 + 5 * i), 100 + away * 9 * i
            boxes.append([x, y, x + 40, y + 80, 0.8 - 0.1 * i + rng.normal() * 0.01, 0])
            if frame % 50 in (22, 23, 24, 25, 26, 27):
                boxes.append([x + 0.5 - away * 18, y, x + 40 - away * 18, y + 80.5, 0.7 - 0.1 * i, 0])
        yield boxes


def letters(frames):
    """What ddddocr's YOLOX finds in pictures of letters that move, cross, leave, and pass behind a bar."""
    engine = DetectionEngine()
    suppress = engine.multiclass_nms
    engine.multiclass_nms = lambda *args, **options: setattr(engine, "found", suppress(*args, **options)) or engine.found
    paths = [("A", 20, 40, 2.5, 0.1, "navy"), ("k", 330, 60, -2.4, 0.0, "maroon"), ("7", -60, 150, 2.2, 0.3, "black"), ("S", 200, 300, -1.5, -0.9, "darkgreen"), ("b", 60, 260, 1.2, 0.8, "purple")]
    for frame in range(frames):
        picture = Image.new("RGB", (400, 400), "lightyellow")
        draw = ImageDraw.Draw(picture)
        for letter, x, y, vx, vy, color in paths:
            draw.text((x + vx * frame, y + vy * frame), letter, color, ImageFont.load_default(70))
        draw.rectangle((180, 140, 240, 400), fill="lightyellow")
        engine.found = None
        engine.get_bbox(cv2.imencode(".png", np.asarray(picture)[:, :, ::-1])[1].tobytes())
        yield [[*box[:5], 0] for box in (engine.found if engine.found is not None else [])]


def stored(boxes):
    """Boxes as integers, quarters of pixels and thousandths, with different scores, by which tracks tell theirs."""
    rows, scores = [], set()
    for *box, score, n in boxes:
        score = min(max(int(score * 1000), 1), 950)
        while score in scores or score % 50 == 0:  # 0.1 + 0.6 is not 0.7 everywhere
            score += 1
        scores.add(score)
        rows.append([*(round(4 * float(v)) for v in box), score, int(n)][: 6 if n else 5])
    return rows


def tracked(frames, classes=1, **options):
    """The tracks of each frame, by class: numbers of tracks and of boxes, and the sum of the tracks' coordinates."""
    trackers = [ByteTrack(**options) for _ in range(classes)]
    for rows in frames:
        table = np.array([r + [0] * (6 - len(r)) for r in rows], np.float32).reshape(-1, 6) / np.array([4, 4, 4, 4, 1000, 1], np.float32)
        scores, pairs, total = [r[4] for r in rows], [], 0.0
        for n, tracker in enumerate(trackers):
            for t in tracker.update_with_tensors(table[table[:, 5] == n, :5] if classes > 1 else table[:, :5]):
                pairs.append([n * 1000 + int(t.external_track_id), scores.index(round(float(t.score) * 1000))])
                total += float(t.tlbr.sum())
        yield {"boxes": rows, "tracks": sum(pairs, []), "sum": round(total, 1)}


def sequences():
    plain = {}
    for name, boxes, options in (
        ("entries and exits", scene(1, 120, 8), plain),
        ("crossings", scene(2, 120, 6, size=(40, 80), speed=6, room=300), plain),
        ("behind poles", scene(3, 200, 6, speed=4, poles=[(120, 12), (300, 50)]), plain),
        ("low scores", scene(4, 110, 8, dim=0.4), plain),
        ("false boxes", scene(5, 110, 6, false=1.5, miss=0.1), {"minimum_consecutive_frames": 3}),
        ("crowd", scene(6, 100, 20, size=(30, 60), room=260, turn=0.5), plain),
        ("few frames a second", scene(7, 120, 6, speed=9, size=(60, 120), poles=[(240, 60)], dim=0.2), {"frame_rate": 15, "minimum_matching_threshold": 0.9, "lost_track_buffer": 40}),
        ("high threshold", scene(8, 110, 8, dim=0.2, poles=[(200, 30)]), {"track_activation_threshold": 0.6, "minimum_consecutive_frames": 2, "lost_track_buffer": 10}),
        ("no buffer", scene(9, 100, 6, miss=0.3), {"lost_track_buffer": 1}),
        ("leaps", leaps(140), plain),
        ("classes", scene(10, 110, 12, classes=3, room=300, size=(40, 70)), plain),
        ("letters", letters(120), plain),
    ):
        frames = list(tracked([stored(b) for b in boxes], 3 if name == "classes" else 1, **options))
        yield {"name": name, "options": options, "frames": frames}


def assignments():
    """Random costs, some equal, some infinite; pairs above a limit are not wanted."""
    rng = np.random.default_rng(20)
    for i in range(60):
        rows, cols = rng.integers(1, 13, 2)
        distinct = i % 3 != 0
        cost = rng.permutation(rows * cols * 3)[: rows * cols].reshape(rows, cols) / 8.0 if distinct else rng.integers(0, 4, (rows, cols)) * 1.0
        cost[rng.random((rows, cols)) < (0, 0.3, 0.7)[i // 3 % 3]] = np.inf
        limit = float(np.median(cost[np.isfinite(cost)])) if np.isfinite(cost).any() and i % 2 else 1000.0
        single = limit + 1e-4
        at = linear_sum_assignment(np.where(cost > limit, single, cost))
        pairs = [[int(r), int(c)] for r, c in zip(*at) if cost[r, c] <= limit]
        try:
            full = float(cost[linear_sum_assignment(cost)].sum())
        except ValueError:  # there is no assignment without infinite costs
            full = None
        yield {"cost": [[None if np.isinf(v) else v for v in row] for row in cost.tolist()], "limit": limit, "distinct": distinct, "pairs": pairs, "full": full}


def filters():
    """The state after some frames, in a part of which a thing was not measured."""
    kalman, rng = KalmanFilter(), np.random.default_rng(30)
    for path in range(3):
        x, y, a, h = rng.uniform(50, 400), rng.uniform(50, 400), rng.uniform(0.3, 2), rng.uniform(20, 200)
        measured = [(x + 3 * i + rng.normal(), y - i + rng.normal(), a + rng.normal() * 0.02, h + 0.5 * i + rng.normal()) for i in range(40)]
        mean, covariance = kalman.initiate(np.array(measured[0]))
        states = []
        for i, m in enumerate(measured[1:], 1):
            mean, covariance = kalman.predict(mean, covariance)
            if i % 7 not in (3, 4):
                mean, covariance = kalman.update(mean, covariance, np.array(m))
            if i % 13 == 0:
                states.append({"mean": mean.tolist(), "covariance": covariance.tolist()})
        yield {"measured": measured, "states": states}


def make(out):
    found = {f.__name__: list(f()) for f in (filters, assignments, sequences)}
    for s in found["sequences"]:
        print(s["name"], len(s["frames"]), "frames,", sum(len(f["boxes"]) for f in s["frames"]), "boxes,", len({t for f in s["frames"] for t in f["tracks"][::2]}), "tracks")
    (out / "track.json.gz").write_bytes(gzip.compress(json.dumps(found, separators=(",", ":")).encode(), mtime=0))
