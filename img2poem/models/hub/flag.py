"""``flag:`` embedders and rerankers, through FlagEmbedding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from img2poem.corpus.verse import Verse
from img2poem.models.base import Embedder, Reranker, TextKind
from img2poem.models.hub.embedder import instructions
from img2poem.models.hub.files import fingerprint, locate, read_json
from img2poem.models.hub.loading import batch_size, choose_device, in_batches, loading
from img2poem.models.hub.reranker import THRESHOLD, require_cross_encoder
from img2poem.models.prompts import passage
from img2poem.models.vectors import unit_rows

if TYPE_CHECKING:
    from img2poem.models.base import FloatArray
    from img2poem.models.registry import ModelOptions

_LENGTH = 512  # tokens; the longest verse with its rendering takes about half


def embedder(rest: str, options: ModelOptions) -> Embedder:
    """Factory of ``flag:`` embedders."""
    return FlagEmbedder(f"flag:{rest}", locate(rest), choose_device(options.device))


def reranker(rest: str, options: ModelOptions) -> Reranker:
    """Factory of ``flag:`` rerankers."""
    return FlagReranker(f"flag:{rest}", locate(rest), choose_device(options.device))


class FlagEmbedder:
    """FlagModel, or BGEM3FlagModel (its dense vectors) where the folder has BGE-M3's heads."""

    def __init__(self, name: str, folder: Path, device: str) -> None:
        self.name = name
        self.fingerprint = fingerprint(folder)
        self.dim = int(read_json(folder / "config.json").get("hidden_size", 0))
        self._is_m3 = (folder / "colbert_linear.pt").is_file()
        self._size = batch_size(device, 40, most=256)
        with loading(name):
            from FlagEmbedding import BGEM3FlagModel, FlagModel

            prompts = read_json(folder / "config_sentence_transformers.json").get("prompts")
            kind: Any = BGEM3FlagModel if self._is_m3 else FlagModel
            self._model: Any = kind(
                str(folder),
                devices=[device],
                use_fp16=device != "cpu",
                normalize_embeddings=True,
                pooling_method=_pooling(folder),
                query_instruction_for_retrieval=instructions(name, folder, prompts).get("query"),
                query_max_length=_length(folder),
                passage_max_length=_length(folder),
            )

    def encode(self, texts: Sequence[str], *, kind: TextKind) -> FloatArray:
        """Encode texts as float32 rows of length 1, shape (len(texts), dim)."""
        encode = self._model.encode_queries if kind == "query" else self._model.encode_corpus

        def run(batch: Sequence[str]) -> Iterable[Any]:
            # One more than the batch: FlagEmbedding shows a progress bar from a full one on.
            rows: Any = encode(list(batch), batch_size=len(batch) + 1)
            found: Iterable[Any] = rows["dense_vecs"] if self._is_m3 else rows
            return found

        return unit_rows(in_batches(texts, self._size, run), self.dim)


class FlagReranker:
    """FlagReranker, its scores put through a logistic function.

    Attributes:
        threshold: the score from which a verse counts as close.
    """

    threshold = THRESHOLD

    def __init__(self, name: str, folder: Path, device: str) -> None:
        require_cross_encoder(name, folder)
        self.name = name
        self._size = batch_size(device, 60, most=128)
        with loading(name):
            from FlagEmbedding import FlagReranker as Model

            self._model: Any = Model(
                str(folder), devices=[device], use_fp16=device != "cpu", max_length=_length(folder)
            )

    def score(self, query: str, verses: Sequence[Verse]) -> FloatArray:
        """Score verses for a query: float32 (len(verses),), 0 to 1."""
        import numpy as np

        def run(pairs: Sequence[tuple[str, str]]) -> Iterable[float]:
            scores = self._model.compute_score(
                list(pairs), batch_size=len(pairs) + 1, normalize=True
            )
            return iter(np.atleast_1d(scores))

        pairs = [(query, passage(verse)) for verse in verses]
        return np.asarray(in_batches(pairs, self._size, run), dtype=np.float32)


def _length(folder: Path) -> int:
    """Tokens to read: FlagEmbedding does not ask how many positions the model has."""
    positions = int(read_json(folder / "config.json").get("max_position_embeddings", _LENGTH))
    return min(_LENGTH, positions - 2)  # RoBERTa's first two positions are not for tokens


def _pooling(folder: Path) -> str:
    """cls, as BGE has it, unless the folder says otherwise; both spellings of the file."""
    config = read_json(folder / "1_Pooling" / "config.json")
    mode = config.get("pooling_mode")
    if mode == "mean" or config.get("pooling_mode_mean_tokens"):
        return "mean"
    if mode == "lasttoken" or config.get("pooling_mode_lasttoken"):
        return "last_token"
    return "cls"
