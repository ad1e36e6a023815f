"""``clip:`` embedders: a photo and a verse in one space, with no caption between."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from img2poem.errors import UserError
from img2poem.models.base import Embedder, Photo, TextKind
from img2poem.models.hub.files import fingerprint, locate
from img2poem.models.hub.loading import (
    batch_size,
    choose_device,
    encoder_dtype,
    from_pretrained,
    in_batches,
    loading,
    to_device,
    within,
)
from img2poem.models.vectors import unit_rows

if TYPE_CHECKING:
    from img2poem.models.base import FloatArray
    from img2poem.models.registry import ModelOptions


def embedder(rest: str, options: ModelOptions) -> Embedder:
    """Factory of ``clip:`` embedders, e.g. ``clip:OFA-Sys/chinese-clip-vit-base-patch16``."""
    return ClipEmbedder(f"clip:{rest}", locate(rest), choose_device(options.device))


class ClipEmbedder:
    """A model with a text tower and an image tower, such as Chinese-CLIP.

    Texts are encoded alike, whether query or passage: the two towers are the model's only
    asymmetry.
    """

    photo_side = 336

    def __init__(self, name: str, folder: Path, device: str) -> None:
        self.name = name
        self.fingerprint = fingerprint(folder)
        self._device = device
        with loading(name):
            from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

            self._model = from_pretrained(AutoModel, folder, device, encoder_dtype(device))
            for tower in ("get_image_features", "get_text_features"):
                if not hasattr(self._model, tower):
                    raise UserError(f"{name} does not put photos and texts into one space.")
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._images: Any = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        text = self._model.config.text_config
        self._length = min(int(text.max_position_embeddings), 64)
        self._size = batch_size(device, 60, most=128)
        self.dim: int = len(self._texts(["诗"])[0])

    def encode(self, texts: Sequence[str], *, kind: TextKind) -> FloatArray:
        """Encode texts as float32 rows of length 1, shape (len(texts), dim)."""
        return unit_rows(in_batches(texts, self._size, self._texts), self.dim)

    def encode_photos(self, photos: Sequence[Photo]) -> FloatArray:
        """Encode photos as float32 rows of length 1, shape (len(photos), dim)."""
        return unit_rows(in_batches(photos, self._size, self._photos), self.dim)

    def _texts(self, texts: Sequence[str]) -> Sequence[Any]:
        inputs = self._tokenizer(
            list(texts), return_tensors="pt", padding=True, truncation=True, max_length=self._length
        )
        return self._run(self._model.get_text_features, inputs)

    def _photos(self, photos: Sequence[Photo]) -> Sequence[Any]:
        inputs = self._images([within(photo.image, 1024) for photo in photos], return_tensors="pt")
        return self._run(self._model.get_image_features, inputs)

    def _run(self, tower: Any, inputs: Any) -> Sequence[Any]:
        import torch

        with torch.inference_mode():
            features = tower(**to_device(inputs, self._device, self._model.dtype))
        # A tensor until transformers 5, the whole output of the tower since.
        features = getattr(features, "pooler_output", features)
        rows: Sequence[Any] = features.float().cpu().numpy()
        return rows
