# SPDX-License-Identifier: Apache-2.0
"""IR and MNN files, converted from ONNX."""

import re
import uuid

import _tools  # MNN's converter; the wheel's own command around it reports its use to a server
import openvino

UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def ir(onnx_path):
    """Writes PATH.xml and PATH.bin beside PATH.onnx."""
    # Not openvino.convert_model: that records its arguments in the file, the path among them.
    model = openvino.Core().read_model(onnx_path)
    openvino.save_model(model, onnx_path.with_suffix(".xml"), compress_to_fp16=False)


def mnn(onnx_path):
    """Writes PATH.mnn beside PATH.onnx."""
    out = onnx_path.with_suffix(".mnn")
    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", str(onnx_path), "--MNNModel", str(out), "--bizCode", "anyinfer"])
    # The converter stamps each file with a random identifier: a fixed one makes the file reproducible.
    fixed = str(uuid.uuid5(uuid.NAMESPACE_URL, f"anyinfer/{out.name}")).encode()
    data, n = UUID.subn(fixed, out.read_bytes())
    assert n == 1, (out, n)
    out.write_bytes(data)
