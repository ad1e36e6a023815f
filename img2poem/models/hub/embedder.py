"""``hf:`` embedders: any sentence-transformers model or folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from img2poem.models.base import Embedder, TextKind
from img2poem.models.hub.files import fingerprint, locate, read_json
from img2poem.models.hub.loading import (
    batch_size,
    choose_device,
    encoder_dtype,
    in_batches,
    loading,
)
from img2poem.models.vectors import unit_rows

if TYPE_CHECKING:
    from img2poem.models.base import FloatArray
    from img2poem.models.registry import ModelOptions

# Instructions that model cards ask for but the models' own folders do not carry.
_INSTRUCTIONS: tuple[tuple[str, dict[str, str]], ...] = (
    (r"bge-\w+-zh", {"query": "为这个句子生成表示以用于检索相关文章："}),
    (r"bge-\w+-en", {"query": "Represent this sentence for searching relevant passages: "}),
    (r"\be5-(small|base|large)", {"query": "query: ", "passage": "passage: "}),
)


def embedder(rest: str, options: ModelOptions) -> Embedder:
    """Factory of ``hf:`` embedders."""
    return SentenceEmbedder(f"hf:{rest}", locate(rest), choose_device(options.device))


class SentenceEmbedder:
    """A sentence-transformers model, with its own pooling and instructions.

    Args:
        name: as the user wrote it.
        folder: the model's files.
        device: cpu, cuda or mps.
    """

    def __init__(self, name: str, folder: Path, device: str) -> None:
        self.name = name
        self.fingerprint = fingerprint(folder)
        with loading(name):
            from sentence_transformers import SentenceTransformer

            self._model: Any = SentenceTransformer(
                str(folder),
                device=device,
                local_files_only=True,
                model_kwargs={"dtype": encoder_dtype(device)},
            )
            self.dim: int = self._model.get_embedding_dimension()
        self._instructions = instructions(name, folder, self._model.prompts)
        self._size = batch_size(device, 40, most=256)

    def encode(self, texts: Sequence[str], *, kind: TextKind) -> FloatArray:
        """Encode texts as float32 rows of length 1, shape (len(texts), dim)."""
        prompt = self._instructions.get(kind, "")
        return unit_rows(
            in_batches(texts, self._size, lambda batch: self._encode(batch, prompt)), self.dim
        )

    def _encode(self, texts: Sequence[str], prompt: str) -> FloatArray:
        rows: FloatArray = self._model.encode(
            list(texts), prompt=prompt, batch_size=len(texts), show_progress_bar=False
        )
        return rows


def instructions(name: str, folder: Path, prompts: dict[str, str] | None = None) -> dict[str, str]:
    """What is put before queries and passages.

    The folder's own prompts come first; a model without any is known by its name, or by the
    name of the model it was fine-tuned from.
    """
    prompts = prompts or {}
    own = {"query": prompts.get("query", ""), "passage": prompts.get("passage", "")}
    own["passage"] = own["passage"] or prompts.get("document", "")
    if any(own.values()):
        return own
    origin = str(read_json(folder / "config.json").get("_name_or_path", ""))
    for pattern, known in _INSTRUCTIONS:
        if any(re.search(pattern, text, re.IGNORECASE) for text in (name, origin)):
            return known
    return {}
