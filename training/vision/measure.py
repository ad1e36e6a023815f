"""Average precision of tags and recall between photos and captions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def average_precision(truth: npt.NDArray[np.bool_], scores: Floats) -> float:
    """Area under the precision-recall steps; ties are broken against the scorer's luck."""
    order = np.lexsort((truth, -scores))
    hits = truth[order]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def tag_precision(labels: Floats, scores: Floats, at_least: int = 5) -> dict[int, float]:
    """Average precision of each tag with enough positives; unknown (NaN) labels are left out."""
    result = {}
    for tag in range(labels.shape[1]):
        known = ~np.isnan(labels[:, tag])
        truth = labels[known, tag] == 1
        if truth.sum() >= at_least:
            result[tag] = average_precision(truth, scores[known, tag])
    return result


def recall(similar: Floats, owner: npt.NDArray[np.int64]) -> dict[str, list[float]]:
    """Recall at 1, 5 and 10 both ways.

    ``similar`` is (photos, captions); ``owner[j]`` is the photo that caption j describes.
    """
    photos, captions = similar.shape
    own = similar[owner, np.arange(captions)]
    text_rank = (similar > own[None, :]).sum(0)
    best = np.full(photos, -np.inf, np.float32)
    np.maximum.at(best, owner, own)
    photo_rank = (similar > best[:, None]).sum(1)
    at = (1, 5, 10)
    return {
        "photo_to_text": [round(float((photo_rank < k).mean()), 4) for k in at],
        "text_to_photo": [round(float((text_rank < k).mean()), 4) for k in at],
    }
