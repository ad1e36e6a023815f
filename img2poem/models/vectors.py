"""Rows of unit length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from img2poem.models.base import FloatArray


def unit_rows(rows: Any, dim: int) -> FloatArray:
    """Rows as float32 (n, dim), each of length 1; half precision leaves them a little off."""
    import numpy as np

    vectors = np.asarray(rows, dtype=np.float32).reshape(-1, dim)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = vectors / np.maximum(lengths, 1e-12)
    return unit
