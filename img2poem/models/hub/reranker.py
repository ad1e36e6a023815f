"""``hf:`` rerankers: cross-encoders of sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from img2poem.corpus.verse import Verse
from img2poem.errors import UserError
from img2poem.models.base import Reranker
from img2poem.models.hub.files import is_cross_encoder, locate
from img2poem.models.hub.loading import (
    batch_size,
    choose_device,
    encoder_dtype,
    in_batches,
    loading,
)
from img2poem.models.prompts import passage

if TYPE_CHECKING:
    from img2poem.models.base import FloatArray
    from img2poem.models.registry import ModelOptions

THRESHOLD = 0.5  # where a cross-encoder's logit changes sign


def reranker(rest: str, options: ModelOptions) -> Reranker:
    """Factory of ``hf:`` rerankers."""
    return CrossEncoderReranker(f"hf:{rest}", locate(rest), choose_device(options.device))


class CrossEncoderReranker:
    """A cross-encoder with one score, put through a logistic function.

    Attributes:
        threshold: the score from which a verse counts as close.
    """

    threshold = THRESHOLD

    def __init__(self, name: str, folder: Path, device: str) -> None:
        require_cross_encoder(name, folder)
        self.name = name
        with loading(name):
            from sentence_transformers import CrossEncoder

            self._model: Any = CrossEncoder(
                str(folder),
                device=device,
                local_files_only=True,
                model_kwargs={"dtype": encoder_dtype(device)},
            )
        if self._model.config.num_labels != 1:
            raise UserError(
                f"{name} gives {self._model.config.num_labels} scores, a reranker gives one.",
                "Choose a cross-encoder made for ranking.",
            )
        self._size = batch_size(device, 60, most=128)

    def score(self, query: str, verses: Sequence[Verse]) -> FloatArray:
        """Score verses for a query: float32 (len(verses),), 0 to 1."""
        import numpy as np

        pairs = [(query, passage(verse)) for verse in verses]
        return np.asarray(in_batches(pairs, self._size, self._score), dtype=np.float32)

    def _score(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        from torch.nn import Sigmoid

        scores: Sequence[float] = self._model.predict(
            list(pairs), batch_size=len(pairs), activation_fn=Sigmoid(), show_progress_bar=False
        )
        return scores


def require_cross_encoder(name: str, folder: Path) -> None:
    """Raise UserError for a model that is not made to score pairs."""
    if not is_cross_encoder(folder):
        raise UserError(
            f"{name} is no cross-encoder.",
            "Rerankers such as BAAI/bge-reranker-base and BAAI/bge-reranker-v2-m3 fit.",
        )
