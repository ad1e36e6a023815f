"""Chat models of transformers, with or without eyes; captioner and generator may share one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from img2poem.models.hub.loading import (
    batch_size,
    from_pretrained,
    in_batches,
    loading,
    to_device,
    within,
    writer_dtype,
)

if TYPE_CHECKING:
    from PIL.Image import Image

_LONGEST = 1280  # pixels of a photo's longer side; each 28 by 28 or so become a token


@lru_cache(maxsize=2)
def load_chat(folder: Path, device: str) -> ChatModel:
    """The chat model in a folder; one in two seats is in memory once."""
    return ChatModel(folder, device)


class ChatModel:
    """Prompts, each with or without a photo, to answers.

    Args:
        folder: a causal language model, or an image-text-to-text model, with a chat template.
        device: cpu, cuda or mps.

    Attributes:
        sees: whether it takes photos.

    Raises:
        UserError: the folder holds no such model.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self._device = device
        with loading(str(folder)):
            from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
            from transformers.models.auto.modeling_auto import (
                MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING as SEEING,
            )

            config: Any = AutoConfig.from_pretrained(folder, local_files_only=True)
            self.sees = type(config) in SEEING
            self._processor = _processor(folder, config) if self.sees else _tokenizer(folder)
            kind: Any = AutoModelForImageTextToText if self.sees else AutoModelForCausalLM
            self._model = from_pretrained(kind, folder, device, writer_dtype(device))
        self._size = batch_size(device, 1500, most=8) if device == "cuda" else 1

    def answer(
        self, prompts: Sequence[str], photos: Sequence[Image | None], tokens: int
    ) -> list[str]:
        """Answer each prompt with the likeliest words, so that a second run says the same.

        Args:
            prompts: what is asked.
            photos: a photo for each prompt, all of them or none.
            tokens: the longest answer.
        """
        return in_batches(
            list(zip(prompts, photos, strict=True)),
            self._size,
            lambda asked: self._answer(asked, tokens),
        )

    def _answer(self, asked: Sequence[tuple[str, Image | None]], tokens: int) -> list[str]:
        import torch

        texts = [self._written(prompt, photo is not None) for prompt, photo in asked]
        photos = [[within(photo, _LONGEST)] for _, photo in asked if photo is not None]
        inputs = self._processor(
            text=texts, return_tensors="pt", padding=True, **({"images": photos} if photos else {})
        )
        inputs = to_device(inputs, self._device, self._model.dtype)
        with torch.inference_mode():
            written = self._model.generate(
                **inputs,
                max_new_tokens=tokens,
                do_sample=False,
                # A folder may ask for sampling; greedy search wants none of its knobs.
                temperature=None,
                top_p=None,
                top_k=None,
            )
        answers: list[str] = self._processor.batch_decode(
            written[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return answers

    def _written(self, prompt: str, with_photo: bool) -> str:
        content: Any = prompt
        if self.sees:
            content = [{"type": "image"}] if with_photo else []
            content.append({"type": "text", "text": prompt})
        tokenizer = getattr(self._processor, "tokenizer", self._processor)
        text: str = tokenizer.apply_chat_template(
            [{"role": "user", "content": content}],
            chat_template=self._processor.chat_template,
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,  # models that think aloud by default are asked not to
        )
        return text


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokenizer.padding_side = "left"  # answers begin where prompts end
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _processor(folder: Path, config: Any) -> Any:
    """The processor of a model that sees.

    Some also process video, by torchvision. Photos need none of that, so where torchvision
    is not installed the processor is put together without it.
    """
    import transformers
    from transformers import AutoImageProcessor, AutoProcessor
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES
    from transformers.utils import is_torchvision_available

    tokenizer = _tokenizer(folder)
    names: Any = PROCESSOR_MAPPING_NAMES
    kind: Any = getattr(transformers, names.get(config.model_type) or "", None)
    if kind is None or is_torchvision_available() or "video_processor" not in _parts(kind):
        processor: Any = AutoProcessor.from_pretrained(folder, local_files_only=True)
        processor.tokenizer.padding_side = "left"
    else:
        images = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        parts = {"image_processor": images, "tokenizer": tokenizer, "video_processor": None}
        processor = _without_video(kind)(**parts, chat_template=tokenizer.chat_template)
    if processor.chat_template is None:
        processor.chat_template = tokenizer.chat_template
    return processor


def _parts(kind: Any) -> list[str]:
    parts: list[str] = kind.get_attributes()
    return parts


def _without_video(kind: Any) -> Any:
    """A processor class that does without its video half."""

    def check(self: Any, name: str, part: Any) -> Any:
        return None if part is None else kind.check_argument_for_proper_class(self, name, part)

    return type(kind.__name__, (kind,), {"check_argument_for_proper_class": check})
