"""What the heads look at: features, class scores and light of every photo, as one matrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

CLIP = 4.0


def raw_inputs(features: Floats, logits: Floats, light: Floats) -> Floats:
    """Columns before scaling, (n, 1280 + 1000 + 96).

    Square roots even out a few very strong channels; class scores are taken relative to
    their mean, which a change of contrast moves.
    """
    classes = logits - logits.mean(-1, keepdims=True)
    return np.concatenate([np.sqrt(np.maximum(features, 0)), classes, light], -1)


@dataclass
class Scaling:
    """Mean and spread of each column over the training photos."""

    mean: Floats
    spread: Floats

    @classmethod
    def fit(cls, columns: Floats) -> Scaling:
        """From the training rows. A floor on the spread keeps quiet channels quiet."""
        spread = columns.std(0)
        parts = np.split(spread, [1280, 2280])
        floors = [
            np.full(len(p), f, np.float32) for p, f in zip(parts, (0.05, 0.2, 0.05), strict=True)
        ]
        return cls(
            columns.mean(0), np.concatenate([p + f for p, f in zip(parts, floors, strict=True)])
        )

    def apply(self, columns: Floats) -> Floats:
        """Scaled and clipped columns."""
        return np.clip((columns - self.mean) / self.spread, -CLIP, CLIP)


def read_views(features: Path, light: Path) -> list[Floats]:
    """The raw columns of each view, (photos, columns) a view.

    ``features`` holds ``F`` (views, photos, 1280) and ``L`` (views, photos, 1000), written by
    ``features.py`` with the very model that ships; ``light`` is (photos, 96).
    """
    colours = np.load(light).astype(np.float32)
    with np.load(features) as arrays:
        pooled, logits = arrays["F"], arrays["L"]
    return [
        raw_inputs(f.astype(np.float32), scores.astype(np.float32), colours)
        for f, scores in zip(pooled, logits, strict=True)
    ]
