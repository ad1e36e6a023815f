"""``hf:`` captioners: models that speak English, translated, and models that are asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from img2poem.errors import UserError
from img2poem.models.base import Captioner, Description, Photo
from img2poem.models.hub.chat import ChatModel, load_chat
from img2poem.models.hub.files import has_chat_template, locate
from img2poem.models.hub.loading import (
    batch_size,
    choose_device,
    encoder_dtype,
    from_pretrained,
    in_batches,
    loading,
    within,
)
from img2poem.models.hub.translator import Translator
from img2poem.models.prompts import CAPTION, described, speaks_chinese

if TYPE_CHECKING:
    from img2poem.models.registry import ModelOptions

_CAPTION_TOKENS = 40
_DESCRIPTION_TOKENS = 160


def captioner(rest: str, options: ModelOptions) -> Captioner:
    """Factory of ``hf:`` captioners.

    A model with a chat template is asked in Chinese; any other is taken for an
    image-to-text model whose English goes through the translator.
    """
    folder = locate(rest)
    device = choose_device(options.device)
    name = f"hf:{rest}"
    if has_chat_template(folder):
        model = load_chat(folder, device)
        if not model.sees:
            raise UserError(f"{name} reads text only.", "A captioner must see photos.")
        return AskedCaptioner(name, model)
    return TranslatedCaptioner(name, folder, device, options.translator)


class AskedCaptioner:
    """An image-text-to-text model such as Qwen2.5-VL, asked in Chinese."""

    photo_side = 672  # enough to name what is seen, at some 800 image tokens

    def __init__(self, name: str, model: ChatModel) -> None:
        self.name = name
        self._model = model

    def describe(self, photos: Sequence[Photo]) -> list[Description]:
        """Describe each photo in one or two sentences."""
        answers = self._model.answer(
            [CAPTION] * len(photos), [photo.image for photo in photos], _DESCRIPTION_TOKENS
        )
        return [described(answer, self.name) for answer in answers]


class TranslatedCaptioner:
    """An image-to-text model such as BLIP, and a translation of what it says."""

    photo_side = 512

    def __init__(self, name: str, folder: Path, device: str, translator: str) -> None:
        self.name = name
        self._device = device
        with loading(name):
            from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

            self._model = from_pretrained(
                AutoModelForImageTextToText, folder, device, encoder_dtype(device)
            )
            self._images: Any = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._translator = Translator(translator, device)
        self._size = batch_size(device, 150, most=64)

    def describe(self, photos: Sequence[Photo]) -> list[Description]:
        """Describe each photo; what is Chinese already is not translated."""
        captions = in_batches(photos, self._size, self._caption)
        foreign = [caption for caption in captions if not speaks_chinese(caption)]
        translated = iter(self._translator.translate(foreign))
        chinese = [c if speaks_chinese(c) else next(translated) for c in captions]
        return [described(text, self.name) for text in chinese]

    def _caption(self, photos: Sequence[Photo]) -> list[str]:
        import torch

        pixels = self._images(
            [within(photo.image, 1024) for photo in photos], return_tensors="pt"
        ).pixel_values
        with torch.inference_mode():
            tokens = self._model.generate(
                pixel_values=pixels.to(self._device, dtype=self._model.dtype),
                max_new_tokens=_CAPTION_TOKENS,
                num_beams=3,
                do_sample=False,
            )
        texts: list[str] = self._tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [text.strip() for text in texts]
