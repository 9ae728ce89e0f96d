# SPDX-License-Identifier: Apache-2.0
"""The digits classifier: its data, its training in plain numpy, its layers."""

import numpy as np
from sklearn.datasets import load_digits


def scans():
    """Training and held-back scans as uint8 [N,8,8] (0..16) with labels; always the same split."""
    d = load_digits()
    order = np.random.RandomState(0).permutation(len(d.target))
    x, y = d.images[order].astype(np.uint8), d.target[order].astype(np.uint8)
    return x[360:], y[360:], x[:360], y[:360]


def scale(scan):
    """uint8 [N,8,8] to the model's input: float32 [N,1,8,8] in 0..1."""
    return (scan.astype(np.float32) / 16)[:, None]


def layers(w):
    """The network as a list of layers that every writer of this package understands."""
    return [
        ("conv", w["w1"], w["b1"], 1, True),
        ("pool",),
        ("conv", w["w2"], w["b2"], 1, True),
        ("pool",),
        ("flatten",),
        ("dense", w["w3"], w["b3"]),
        ("softmax",),
    ]


def train(seed=3, epochs=60):
    """Adam on cross entropy, half of the batches shifted by a pixel; returns float32 weights."""
    x, y, _, _ = scans()
    x = scale(x)
    r = np.random.RandomState(seed)
    w = {
        "w1": r.randn(16, 1, 3, 3) * np.sqrt(2 / 9),
        "b1": np.zeros(16),
        "w2": r.randn(16, 16, 3, 3) * np.sqrt(2 / 144),
        "b2": np.zeros(16),
        "w3": r.randn(10, 64) * np.sqrt(1 / 64),
        "b3": np.zeros(10),
    }
    w = {k: v.astype(np.float32) for k, v in w.items()}
    m = {k: np.zeros_like(v) for k, v in w.items()}
    v = {k: np.zeros_like(v) for k, v in w.items()}
    step, batch = 0, 32
    total = epochs * (len(x) // batch)
    for _ in range(epochs):
        order = r.permutation(len(x))
        for i in range(0, len(x) - batch + 1, batch):
            pick = order[i : i + batch]
            g = _gradients(w, _jitter(x[pick], r), y[pick])
            step += 1
            rate = 2e-3 * (1 - step / total)
            for k in w:
                m[k] += 0.1 * (g[k] - m[k])
                v[k] += 0.001 * (g[k] ** 2 - v[k])
                w[k] -= (rate * m[k] / (1 - 0.9**step) / (np.sqrt(v[k] / (1 - 0.999**step)) + 1e-8)).astype(np.float32)
    return w


def _jitter(x, r):
    if r.rand() < 0.5:
        return x
    dy, dx = r.randint(-1, 2, 2)
    p = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return p[:, :, 1 + dy : 9 + dy, 1 + dx : 9 + dx]


def columns(x):
    """[N,C,H,W] to [N,H,W,C*9], the 3x3 neighbourhoods with zero padding."""
    p = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    win = np.lib.stride_tricks.sliding_window_view(p, (3, 3), (2, 3))
    n, c, h, wd = x.shape
    return win.transpose(0, 2, 3, 1, 4, 5).reshape(n, h, wd, c * 9)


def _blocks(x):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2)


def _gradients(w, x, label):
    n = len(x)
    c1 = columns(x)
    a1 = np.maximum(c1 @ w["w1"].reshape(16, -1).T + w["b1"], 0).transpose(0, 3, 1, 2)
    p1 = _blocks(a1).max((3, 5))
    c2 = columns(p1)
    a2 = np.maximum(c2 @ w["w2"].reshape(16, -1).T + w["b2"], 0).transpose(0, 3, 1, 2)
    p2 = _blocks(a2).max((3, 5))
    f = p2.reshape(n, 64)
    z = f @ w["w3"].T + w["b3"]
    e = np.exp(z - z.max(1, keepdims=True))
    d = e / e.sum(1, keepdims=True)
    d[np.arange(n), label] -= 1
    d /= n
    g = {"w3": d.T @ f, "b3": d.sum(0)}
    d2 = _unpool((d @ w["w3"]).reshape(p2.shape), p2, a2)
    g["w2"] = np.tensordot(d2, c2, ((0, 1, 2), (0, 1, 2))).reshape(w["w2"].shape)
    g["b2"] = d2.sum((0, 1, 2))
    back = w["w2"][:, :, ::-1, ::-1].transpose(1, 0, 2, 3).reshape(16, -1)
    dp1 = (columns(d2.transpose(0, 3, 1, 2)) @ back.T).transpose(0, 3, 1, 2)
    d1 = _unpool(dp1, p1, a1)
    g["w1"] = np.tensordot(d1, c1, ((0, 1, 2), (0, 1, 2))).reshape(w["w1"].shape)
    g["b1"] = d1.sum((0, 1, 2))
    return g


def _unpool(d, pooled, a):
    """Gradient through max pooling and relu, channels last."""
    hit = (_blocks(a) == pooled[:, :, :, None, :, None]) & (_blocks(a) > 0)
    return (hit * d[:, :, :, None, :, None]).reshape(a.shape).transpose(0, 2, 3, 1)
