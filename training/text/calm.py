"""Find the few activation channels that would take all of int8's levels.

One channel of a layer's activations is often ten times the others. Dividing it before the
product, and multiplying the weights it meets, changes nothing but what rounding costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from model import Embedder
from torch import Tensor, nn

from data import Data, pack

Floats = npt.NDArray[np.float32]
# The query, key and value products share an input.
PRODUCTS = {"query": "attention", "wide": "wide", "narrow": "narrow"}
ROWS = 96


@contextmanager
def _largest(model: Embedder) -> Iterator[dict[str, Tensor]]:
    """The largest absolute input of each channel of each product, while it is open."""
    seen: dict[str, Tensor] = {}
    hooks = []

    def watch(name: str, part: nn.Module) -> None:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            most = inputs[0].detach().abs().flatten(0, 1).amax(0)
            seen[name] = torch.maximum(seen[name], most) if name in seen else most

        hooks.append(part.register_forward_pre_hook(hook))

    for number, layer in enumerate(model.layers):
        for part, product in PRODUCTS.items():
            watch(f"layers.{number}.{product}", getattr(layer, part))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def divisors(weights: dict[str, Floats], data: Data, outliers: int = 4) -> dict[str, Floats]:
    """A divisor for each input channel of each product: 1 for all but the ``outliers`` largest.

    Args:
        weights: of an embedder.
        data: training rows are read: queries with their choices, and starter lines.
    """
    model = Embedder(len(weights["word.weight"])).eval()
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    random = np.random.default_rng(0)
    texts = []
    for i in random.choice(len(data["train_query"]), ROWS, replace=False):
        right, wrong = data.choices("train", int(i))
        texts += [data["train_query"][int(i)], right, *wrong]
    for i in random.choice(len(data["starter_verse"]), ROWS, replace=False):
        texts += [data["starter_verse"][int(i)], data["starter_rendering"][int(i)]]
    with _largest(model) as seen, torch.no_grad():
        model(pack(texts))
    out = {}
    for name, most in seen.items():
        size = most.numpy() + 1e-5
        limit = np.sort(size)[-outliers - 1]
        out[name] = np.maximum(1.0, size / limit).astype(np.float32)
    return out
