"""What is known of each product's input before it is rounded to int8.

One channel of a layer's activations is often ten times the others. Dividing it before the
product, and multiplying the weights it meets, changes nothing but what rounding costs. With
that done the inputs of all texts span about the same range; one fixed range makes a text's
vector the same whatever texts it is read together with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from model import Embedder
from torch import Tensor, nn

from data import Data, Ids, pack

Floats = npt.NDArray[np.float32]
# The query, key and value products share an input.
PRODUCTS = {"query": "attention", "attended": "attended", "wide": "wide", "narrow": "narrow"}
ROWS = 96


class Input(NamedTuple):
    """A product's input: what each channel (dim,) is divided by, and the range that is left."""

    divisor: Floats
    low: float
    high: float


class _Span:
    """The smallest and the largest value of each channel."""

    def __init__(self) -> None:
        self.low: Tensor | float = 0.0
        self.high: Tensor | float = 0.0

    def add(self, rows: Tensor) -> None:
        self.low = rows.amin(0).clamp(max=0).minimum(torch.as_tensor(self.low))
        self.high = rows.amax(0).clamp(min=0).maximum(torch.as_tensor(self.high))


@contextmanager
def _spans(model: Embedder, there: Tensor) -> Iterator[dict[str, _Span]]:
    """What each product's input spans, over the tokens that are there, while it is open."""
    seen: dict[str, _Span] = {}
    hooks = []

    def watch(name: str, part: nn.Module) -> None:
        seen[name] = _Span()

        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen[name].add(inputs[0].detach().flatten(0, 1)[there])

        hooks.append(part.register_forward_pre_hook(hook))

    for number, layer in enumerate(model.layers):
        for part, product in PRODUCTS.items():
            watch(f"layers.{number}.{product}", getattr(layer, part))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def sample(data: Data) -> list[Ids]:
    """Training rows to read: queries with their choices, starter lines, and occasions."""
    random = np.random.default_rng(0)
    texts = []
    for i in random.choice(len(data["train_query"]), ROWS, replace=False):
        right, wrong = data.choices("train", int(i))
        texts += [data["train_query"][int(i)], right, *wrong]
    for i in random.choice(len(data["starter_verse"]), ROWS, replace=False):
        texts += [data["starter_verse"][int(i)], data["starter_rendering"][int(i)]]
    for i in random.choice(len(data["occasion"]), ROWS, replace=False):
        texts.append(data["occasion"][int(i)])
    return texts


def inputs(weights: dict[str, Floats], texts: Sequence[Ids], outliers: int = 4) -> dict[str, Input]:
    """The input of each product, with a divisor of 1 for all but the ``outliers`` largest channels.

    Args:
        weights: of an embedder.
        texts: read to see what the inputs span.
    """
    model = Embedder(len(weights["word.weight"])).eval()
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    packed = pack(texts)
    with _spans(model, packed.owner.flatten() < len(texts)) as seen, torch.no_grad():
        model(packed)
    out = {}
    for name, span in seen.items():
        low, high = (np.asarray(side, np.float32) for side in (span.low, span.high))
        size = np.maximum(high, -low) + 1e-5
        # The attention's output has no outliers.
        limit = size.max() if name.endswith("attended") else np.sort(size)[-outliers - 1]
        divisor = np.maximum(1.0, size / limit).astype(np.float32)
        out[name] = Input(divisor, float((low / divisor).min()), float((high / divisor).max()))
    return out
