"""English to Chinese, by a Marian model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from img2poem.errors import UserError
from img2poem.models.hub.files import locate
from img2poem.models.hub.loading import (
    batch_size,
    from_pretrained,
    in_batches,
    loading,
    to_device,
)

_TARGET = ">>cmn_Hans<<"  # models with several Chinese targets are told which one
_TOKENS = 96


class Translator:
    """A translation model of the hub.

    Args:
        name: e.g. ``hf:Helsinki-NLP/opus-mt-en-zh`` or ``hf:./folder``.
        device: cpu, cuda or mps.

    Raises:
        UserError: no such model on this machine, or not one that translates.
    """

    def __init__(self, name: str, device: str) -> None:
        scheme, _, rest = name.partition(":")
        if scheme != "hf" or not rest:
            raise UserError(
                f"No translator is called {name!r}.",
                "A translator's name begins with hf:, e.g. hf:Helsinki-NLP/opus-mt-en-zh.",
            )
        folder = locate(rest)
        self._device = device
        with loading(name):
            from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            # Small, and Marian's attention overflows in half precision: float32 everywhere.
            self._model = from_pretrained(AutoModelForSeq2SeqLM, folder, device, "float32")
        self._prefix = f"{_TARGET} " if _TARGET in self._tokenizer.get_vocab() else ""
        self._size = batch_size(device, 60, most=64)

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Translate sentences, in order."""
        return in_batches(texts, self._size, self._translate)

    def _translate(self, texts: Sequence[str]) -> list[str]:
        import torch

        inputs = self._tokenizer(
            [self._prefix + text for text in texts],
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=_TOKENS * 2,
        )
        with torch.inference_mode():
            tokens = self._model.generate(
                **to_device(inputs, self._device, self._model.dtype),
                max_new_tokens=_TOKENS,
                num_beams=4,
                do_sample=False,
            )
        translated: list[str] = self._tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [text.strip() for text in translated]
