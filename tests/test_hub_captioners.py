"""The hub's models that describe photos and write, loaded from folders by the real libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny_models
from hub_models import PHOTOS, Tiny, few_tokens, load, no_network
from PIL import Image

from img2poem.models.base import Captioner, Generator, Photo
from img2poem.models.prompts import CAPTION, tidy

pytest.importorskip("FlagEmbedding")

_few_tokens = pytest.fixture(autouse=True)(few_tokens)
_no_network = pytest.fixture(autouse=True)(no_network)


@pytest.mark.parametrize("name", ["blip", "vit_gpt2"])
def test_captions_in_english_are_translated_by_marian(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from img2poem.models.hub.translator import Translator

    asked: list[str] = []
    answered: list[str] = []
    real = Translator.translate

    def watch(self: Translator, texts: Any) -> list[str]:
        asked.extend(texts)
        answered.extend(real(self, texts))
        return answered

    monkeypatch.setattr(Translator, "translate", watch)
    model = load("captioner", f"hf:{tiny(name)}", translator=f"hf:{tiny('marian')}")
    assert isinstance(model, Captioner)
    described = model.describe(PHOTOS)
    assert [d.model for d in described] == [f"hf:{tiny(name)}"] * 2
    assert len(asked) == 2
    assert all(set(text.split()) <= set(tiny_models.ENGLISH) for text in asked)
    assert [d.text for d in described] == [tidy(text) for text in answered]
    assert all(any("一" <= c <= "龥" for c in text) for text in answered)


def test_the_translator_is_told_to_write_simplified_chinese(tiny: Tiny) -> None:
    from img2poem.models.hub.translator import Translator

    translator = Translator(f"hf:{tiny('marian')}", "cpu")
    sent: list[str] = []
    real = translator._tokenizer

    class Watching:
        def __call__(self, texts: list[str], **rest: Any) -> Any:
            sent.extend(texts)
            return real(texts, **rest)

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    translator._tokenizer = Watching()
    assert len(translator.translate(["a moon", "the snow over the river"])) == 2
    assert sent[0] == ">>cmn_Hans<< a moon"


def test_a_model_that_talks_is_asked_in_chinese_and_shown_the_photo(tiny: Tiny) -> None:
    model = load("captioner", f"hf:{tiny('qwen_vl')}")
    seen: list[dict[str, Any]] = []
    chat = model._model
    real = chat._processor

    class Watching:
        def __call__(self, **given: Any) -> Any:
            seen.append(given)
            return real(**given)

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    chat._processor = Watching()
    chat.answer([CAPTION, CAPTION], [photo.image for photo in PHOTOS], 4)
    chat._processor = real
    assert len(seen) == 2
    for given, photo in zip(seen, PHOTOS, strict=True):
        text = given["text"][0]
        assert all(word in text for word in ("场景", "季节", "天气", "时间", "事物", "情绪"))
        assert "<|image_pad|>" in text
        assert text.endswith("<|im_start|>assistant\n")
        assert [[image.size for image in images] for images in given["images"]] == [
            [photo.image.size]
        ]


@pytest.mark.parametrize("name", ["qwen_vl", "qwen3_vl"])
def test_a_seeing_model_answers_a_batch_as_it_answers_each_alone(tiny: Tiny, name: str) -> None:
    chat = load("captioner", f"hf:{tiny(name)}")._model
    images = [photo.image for photo in PHOTOS]
    chat._size = 1
    alone = chat.answer([CAPTION, "看"], images, 6)
    chat._size = 2
    assert chat.answer([CAPTION, "看"], images, 6) == alone


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000), (40, 20_000)])
def test_photos_of_any_shape_are_looked_at(tiny: Tiny, size: tuple[int, int]) -> None:
    strip = [Photo(Image.new("RGB", size, "teal"))]
    translator = f"hf:{tiny('marian')}"
    for name in ("blip", "qwen_vl", "qwen3_vl"):
        assert (
            len(load("captioner", f"hf:{tiny(name)}", translator=translator).describe(strip)) == 1
        )
    rows = load("embedder", f"clip:{tiny('chinese_clip')}").encode_photos(strip)
    assert np.isfinite(rows).all()


def test_a_seeing_model_loads_without_torchvision(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers.utils

    monkeypatch.setattr(transformers.utils, "is_torchvision_available", lambda: False)
    from img2poem.models.hub.chat import ChatModel

    assert ChatModel(tiny("qwen_vl"), "cpu").sees


@pytest.mark.parametrize("model", ["chat_model", "qwen_vl"])
def test_chat_models_write_and_say_the_same_twice(tiny: Tiny, model: str) -> None:
    writer = load("generator", f"hf:{tiny(model)}")
    assert isinstance(writer, Generator)
    first = writer.write("雪夜", PHOTOS[0])
    assert isinstance(first, str)
    assert first == writer.write("雪夜", PHOTOS[0])


def test_one_model_in_two_seats_is_loaded_once(tiny: Tiny) -> None:
    name = f"hf:{tiny('qwen_vl')}"
    assert load("captioner", name)._model is load("generator", name)._model
