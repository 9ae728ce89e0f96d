# SPDX-License-Identifier: Apache-2.0
"""The digits net in int8: calibration, the TFLite and ONNX (QDQ) files, and an integer reference in numpy."""

import numpy as np
from ai_edge_litert import schema_py_generated as s
from onnx import helper

from . import digits, onnxfile, tflitefile

INPUT = (np.float32(1 / 255), -128)
SCORES = (np.float32(1 / 256), -128)


def activations(w, x):
    """The float outputs of the two convolutions and of the dense layer for [N,1,8,8]."""
    out = []
    for k in "12":
        x = conv(x, w["w" + k]) + w["b" + k][:, None, None]
        x = np.maximum(x, 0)
        out.append(x)
        x = pool(x)
    return [*out, x.reshape(len(x), -1) @ w["w3"].T + w["b3"]]


def conv(x, w):
    p = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return np.einsum("nchwij,ocij->nohw", np.lib.stride_tricks.sliding_window_view(p, (3, 3), (2, 3)), w)


def pool(x):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))


class Params:
    """Everything that calibration on the training scans decides."""

    def __init__(self, w):
        self.w = w
        c1, c2, logits = activations(w, digits.scale(digits.scans()[0]))
        self.c1 = (np.float32(c1.max() / 255), -128)
        self.c2 = (np.float32(c2.max() / 255), -128)
        scale = np.float32((logits.max() - logits.min()) / 255)
        self.logits = (scale, int(np.round(-128 - logits.min() / scale)))

    def weight(self, key, bits=8, per_channel=True):
        """Symmetric: (int8 array, scales)."""
        w, top = self.w[key], 2 ** (bits - 1) - 1
        peak = np.abs(w).reshape(len(w), -1).max(1) if per_channel else np.abs(w).max(keepdims=True).reshape(1)
        scale = (peak / top).astype(np.float32)
        return np.round(w / scale.reshape(-1, *[1] * (w.ndim - 1))).astype(np.int8), scale

    def bias(self, key, scale):
        return np.round(self.w[key] / scale.astype(np.float64)).astype(np.int32)


def save_tflite(path, p):
    f = tflitefile.File()
    g = f.graph()

    def act(name, shape, q):
        return g.tensor(name, "int8", shape, ([q[0]], [q[1]], 0))

    def weights(key, at, per_channel, order):
        w, scale = p.weight("w" + key, per_channel=per_channel)
        zero = [0] * len(scale)
        return [
            g.const(order(w), (scale, zero, 0)),
            g.const(p.bias("b" + key, at[0] * scale), (at[0] * scale, zero, 0)),
        ]

    def conv2d(x, key, at, to):
        opts = dict(padding=s.Padding.SAME, strideW=1, strideH=1, fusedActivationFunction=s.ActivationFunctionType.RELU)
        g.op("CONV_2D", [x, *weights(key, at, True, lambda w: w.transpose(0, 2, 3, 1))], [to], 3, "Conv2DOptions", **opts)

    def maxpool(x, to):
        opts = dict(padding=s.Padding.VALID, strideW=2, strideH=2, filterWidth=2, filterHeight=2)
        g.op("MAX_POOL_2D", [x], [to], 2, "Pool2DOptions", **opts)

    image = act("image", [1, 8, 8, 1], INPUT)
    c1, p1 = act("conv1", [1, 8, 8, 16], p.c1), act("pool1", [1, 4, 4, 16], p.c1)
    c2, p2 = act("conv2", [1, 4, 4, 16], p.c2), act("pool2", [1, 2, 2, 16], p.c2)
    flat, logits, scores = act("flat", [1, 64], p.c2), act("logits", [1, 10], p.logits), act("scores", [1, 10], SCORES)
    g.g.inputs, g.g.outputs = [image], [scores]
    conv2d(image, "1", INPUT, c1)
    maxpool(c1, p1)
    conv2d(p1, "2", p.c1, c2)
    maxpool(c2, p2)
    g.op("RESHAPE", [p2, g.const(np.int32([-1, 64]))], [flat], 1, "ReshapeOptions", newShape=[-1, 64])
    dense = weights("3", p.c2, False, lambda w: tflitefile.flat_nhwc(w, (2, 2, 16)))
    g.op("FULLY_CONNECTED", [flat, *dense], [logits], 4, "FullyConnectedOptions")
    g.op("SOFTMAX", [logits], [scores], 2, "SoftmaxOptions", beta=1.0)
    f.save(path)


def quantize(x, q):
    return np.clip(np.round(x / q[0]) + q[1], -128, 127).astype(np.int8)


def reference(p, image):
    """What the TFLite quantization specification says, in integers: int8 [N,1,8,8] to int8 [N,10]."""

    def requantize(acc, scale, q, relu):
        y = np.floor(acc * (scale.astype(np.float64) / q[0]) + 0.5) + q[1]
        return np.clip(y, q[1] if relu else -128, 127)

    x, at = image, INPUT
    for key, to in (("1", p.c1), ("2", p.c2)):
        w, scale = p.weight("w" + key)
        scale = at[0] * scale
        acc = conv(x.astype(np.int64) - at[1], w.astype(np.int64)) + p.bias("b" + key, scale)[:, None, None]
        x, at = pool(requantize(acc, scale[:, None, None], to, True)), to
    w, scale = p.weight("w3", per_channel=False)
    scale = at[0] * scale
    acc = (x.reshape(len(x), 64).astype(np.int64) - at[1]) @ w.astype(np.int64).T + p.bias("b3", scale)
    z = (requantize(acc, scale, p.logits, False) - p.logits[1]) * np.float64(p.logits[0])
    e = np.exp(z - z.max(1, keepdims=True))
    return quantize(e / e.sum(1, keepdims=True), SCORES)


def save_onnx(path, p):
    """QuantizeLinear/DequantizeLinear around the float operators.

    Weights have 7 bits: with 8, processors without VNNI saturate when they add two products in 16 bits.
    """
    nodes, weights = [], []

    def const(name, a):
        weights.append((name, np.asarray(a)))
        return name

    def op(kind, ins, out, **attrs):
        nodes.append(helper.make_node(kind, ins, [out], **attrs))
        return out

    def qdq(x, name, scale):
        q = [const(name + "_scale", np.float32(scale)), const(name + "_zero", np.uint8(0))]
        return op("DequantizeLinear", [op("QuantizeLinear", [x, *q], name + "_q"), *q], name + "_dq")

    def weight(key):
        w, scale = p.weight(key, bits=7)
        q = [const(key + "_scale", scale), const(key + "_zero", np.zeros(len(scale), np.int8))]
        return op("DequantizeLinear", [const(key, w), *q], key + "_dq", axis=0)

    x = qdq("image", "in", INPUT[0])
    for key, q in (("1", p.c1), ("2", p.c2)):
        x = op("Conv", [x, weight("w" + key), const("b" + key, p.w["b" + key])], "conv" + key, kernel_shape=[3, 3], pads=[1] * 4)
        x = qdq(op("Relu", [x], "relu" + key), "act" + key, q[0])
        x = op("MaxPool", [x], "pool" + key, kernel_shape=[2, 2], strides=[2, 2])
    x = op("Gemm", [op("Flatten", [x], "flat", axis=1), weight("w3"), const("b3", p.w["b3"])], "logits", transB=1)
    op("Softmax", [x], "scores", axis=1)
    onnxfile.save(path, nodes, [("image", "float32", [1, 1, 8, 8])], [("scores", "float32", [1, 10])], weights)
