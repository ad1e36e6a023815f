"""The shipped models compute the same on every processor.

Where a processor adds products in 16 bits, weights that are too large overflow without a word.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2poem.models.builtin.vision import pixels
from img2poem.pipeline.photo import open_photo

ROOT = Path(__file__).parents[1]
BACKBONE = ROOT / "img2poem" / "weights" / "vision" / "backbone.onnx"
EMBEDDER = ROOT / "img2poem" / "weights" / "text" / "embedder.onnx"
sys.path.insert(0, str(ROOT / "training" / "vision"))


def outputs(model: Path, feed: dict[str, np.ndarray], exact: bool) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    # On x86 this chooses kernels that cannot overflow; elsewhere it changes nothing.
    options.add_session_config_entry("session.x64quantprecision", "1" if exact else "0")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, feed)


def assert_the_same(model: Path, feed: dict[str, np.ndarray]) -> None:
    fast, exact = (outputs(model, feed, way) for way in (False, True))
    for one, other in zip(fast, exact, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["sunset-ridge", "snow-peaks", "cat", "stars"])
def test_a_photo_is_seen_alike_by_fast_and_by_exact_kernels(name: str, photos: Path) -> None:
    photo = open_photo(photos / f"{name}.jpg", side=360)
    assert_the_same(BACKBONE, {"x": np.stack(pixels(photo.image))})


def test_a_text_is_read_alike_by_fast_and_by_exact_kernels() -> None:
    ids = np.random.default_rng(0).integers(5, 10_000, (8, 20))
    assert_the_same(EMBEDDER, {"ids": ids, "mask": np.ones_like(ids)})


def test_no_two_weights_of_the_backbone_multiplied_together_can_overflow() -> None:
    onnx = pytest.importorskip("onnx", reason="reading a model's weights is for training alone")
    from in_range import PAIR_MOST, is_depthwise, pair_most

    weights = [
        onnx.numpy_helper.to_array(tensor).astype(np.int32)
        for tensor in onnx.load(BACKBONE).graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1
    ]
    assert len(weights) > 50
    multiplied = [layer for layer in weights if not is_depthwise(layer)]
    assert 0 < max(pair_most(layer).max() for layer in multiplied) <= PAIR_MOST


@given(
    shape=st.sampled_from([(4, 7), (3, 6, 1, 1), (2, 3, 3, 3), (5, 1, 3, 3)]),
    size=st.floats(1e-6, 1e3),
    seed=st.integers(0, 99),
)
def test_weights_brought_in_range_stay_within_half_a_step_of_what_they_were(
    shape: tuple[int, ...], size: float, seed: int
) -> None:
    pytest.importorskip("onnx", reason="quantising is for training alone")
    from in_range import PAIR_MOST, is_depthwise, pair_most, quantise

    weights = (np.random.default_rng(seed).standard_normal(shape) * size).astype(np.float32)
    values, step = quantise(weights, np.full(shape[0], 1e-12))
    back = values * step.reshape((-1,) + (1,) * (len(shape) - 1))
    half = step.reshape((-1,) + (1,) * (len(shape) - 1)) * 0.5001
    assert (np.abs(back - weights) <= half).all()
    assert is_depthwise(weights) or (pair_most(values.astype(np.int32)) <= PAIR_MOST).all()
