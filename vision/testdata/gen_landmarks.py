# SPDX-License-Identifier: Apache-2.0
"""What rtmlib makes of random outputs of RTMPose.

The tensors are not stored: the tests of package landmark compute the same numbers. obb.json,
beside it, has which of random turned boxes ultralytics keeps, and their corners. It was
made by hand, as ultralytics has the licence AGPL: metrics.batch_probiou in TorchNMS.fast_nms, and
ops.xywhr2xyxyxyxy.
"""
import json

import numpy as np
from rtmlib.tools.pose_estimation.pre_processings import bbox_xyxy2cs, top_down_affine
from rtmlib.tools.pose_estimation.rtmpose import RTMPose

from gen_heads import uniform

BOX = [40, 30, 110, 260]


def simcc():
    model = RTMPose.__new__(RTMPose)
    model.model_input_size = (192, 256)
    x, y = uniform(1, 1, 17, 384) - 0.2, uniform(2, 1, 17, 512) - 0.2
    center, scale = bbox_xyxy2cs(np.array(BOX), padding=1.25)
    _, scale = top_down_affine(model.model_input_size, scale, center, np.zeros((300, 400, 3), np.uint8))
    points, scores = model.postprocess([x, y], center, scale)
    return {"box": BOX, "points": points[0].round(4).tolist(), "scores": scores[0].round(6).tolist()}


def make(out):
    (out / "landmarks.json").write_text(json.dumps(simcc()) + "\n")
