"""The hub's models, loaded from folders by the real libraries."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from PIL import Image

from img2poem.corpus.verse import Verse
from img2poem.errors import UserError
from img2poem.models import registry
from img2poem.models.base import Captioner, Embedder, Generator, Photo, PhotoEmbedder, Reranker
from img2poem.models.prompts import CAPTION, tidy
from img2poem.models.registry import ModelOptions

pytest.importorskip("FlagEmbedding")

MOON = Verse("床前明月光，疑是地上霜。", "月光照在床前的地上，好像一层霜。")
SNOW = Verse("山中雪", "山水")
PHOTOS = [Photo(Image.new("RGB", (120, 80), "navy")), Photo(Image.new("RGB", (64, 200), "orange"))]

Tiny = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _few_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for place, tokens in tiny_models.FEW_TOKENS.items():
        monkeypatch.setattr(f"img2poem.models.{place}", tokens)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Any attempt to reach a host fails the test, even one that a library would swallow."""
    tried: list[Any] = []

    def refuse(_: socket.socket, address: Any, *rest: Any) -> None:
        tried.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert not tried, f"tried to reach {tried}"


def load(seat: Any, name: str, **options: Any) -> Any:
    return registry.load(seat, name, ModelOptions(device="cpu", **options))


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


@pytest.mark.parametrize(
    ("scheme", "model"),
    [("hf", "bert_embedder"), ("flag", "bert_embedder"), ("flag", "m3_embedder")],
)
def test_embedders_give_unit_rows_in_order(tiny: Tiny, scheme: str, model: str) -> None:
    embedder = load("embedder", f"{scheme}:{tiny(model)}")
    assert isinstance(embedder, Embedder)
    texts = ["月光", "山水花", "床前的地上好像一层霜"] * 7
    rows = embedder.encode(texts, kind="passage")
    assert rows.dtype == np.float32
    assert rows.shape == (21, embedder.dim) == (21, 32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(rows[:3], rows[3:6], atol=1e-4)
    np.testing.assert_allclose(embedder.encode(texts[1:2], kind="passage")[0], rows[1], atol=1e-4)
    assert np.abs(rows[0] - rows[1]).max() > 0.01
    assert embedder.encode([], kind="query").shape == (0, 32)


def test_the_same_folder_gives_the_same_vectors_through_either_library(tiny: Tiny) -> None:
    folder = tiny("bert_embedder")
    texts = ["月光照在床前", "山水花"]
    by_flag = load("embedder", f"flag:{folder}").encode(texts, kind="passage")
    by_sentence = load("embedder", f"hf:{folder}").encode(texts, kind="passage")
    np.testing.assert_allclose(by_flag, by_sentence, atol=1e-4)


def test_pooling_is_the_folders_own(tiny: Tiny, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny("bert_embedder"), tmp_path / "mean")
    file = copy / "1_Pooling" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"pooling_mode": "mean"}))
    cls, mean = (load("embedder", f"hf:{f}") for f in (tiny("bert_embedder"), copy))
    texts = ["月光照在床前"]
    cosine = (cls.encode(texts, kind="passage") @ mean.encode(texts, kind="passage").T).item()
    assert cosine < 0.999
    assert cls.fingerprint != mean.fingerprint
    flag = load("embedder", f"flag:{copy}").encode(texts, kind="passage")
    np.testing.assert_allclose(flag, mean.encode(texts, kind="passage"), atol=1e-4)


def test_a_bge_model_gets_its_query_instruction_by_name(tiny: Tiny, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny("bert_embedder"), tmp_path / "bge-base-zh-v1.5")
    plain = load("embedder", f"hf:{tiny('bert_embedder')}")
    instructed = "为这个句子生成表示以用于检索相关文章：月光"
    wanted = plain.encode([instructed], kind="passage")
    for scheme in ("hf", "flag"):
        bge = load("embedder", f"{scheme}:{folder}")
        np.testing.assert_allclose(bge.encode(["月光"], kind="query"), wanted, atol=1e-4)
        passage = bge.encode(["月光"], kind="passage")
        np.testing.assert_allclose(passage, plain.encode(["月光"], kind="passage"), atol=1e-4)


def test_a_fine_tuned_folders_own_instruction_comes_first(tiny: Tiny, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny("bert_embedder"), tmp_path / "bge-base-zh-tuned")
    file = folder / "config_sentence_transformers.json"
    prompts = {"prompts": {"query": "花：", "document": "山："}}
    file.write_text(json.dumps(json.loads(file.read_text()) | prompts), encoding="utf-8")
    plain = load("embedder", f"hf:{tiny('bert_embedder')}")
    tuned = load("embedder", f"hf:{folder}")
    for kind, text in (("query", "花：月光"), ("passage", "山：月光")):
        wanted = plain.encode([text], kind="passage")
        np.testing.assert_allclose(tuned.encode(["月光"], kind=kind), wanted, atol=1e-4)


def test_the_fingerprint_follows_the_weights_and_not_the_place(tiny: Tiny, tmp_path: Path) -> None:
    from img2poem.models.hub.files import fingerprint

    copy = shutil.copytree(tiny("bert_embedder"), tmp_path / "copy")
    assert fingerprint(copy) == fingerprint(tiny("bert_embedder"))
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    assert fingerprint(copy) != fingerprint(tiny("bert_embedder"))


def test_chinese_clip_puts_photos_and_texts_into_one_space(tiny: Tiny) -> None:
    model = load("embedder", f"clip:{tiny('chinese_clip')}")
    assert isinstance(model, Embedder)
    assert isinstance(model, PhotoEmbedder)
    photos = model.encode_photos(PHOTOS)
    texts = model.encode(["月光", "很长的句子" * 40], kind="passage")
    assert photos.shape == texts.shape == (2, model.dim) == (2, 16)
    np.testing.assert_allclose(np.linalg.norm(photos, axis=1), 1, atol=1e-5)
    assert np.abs(photos[0] - photos[1]).max() > 1e-3
    # The library's own projection, taken the long way round.
    import torch
    from transformers import ChineseCLIPModel, ChineseCLIPProcessor

    folder = tiny("chinese_clip")
    processor = ChineseCLIPProcessor.from_pretrained(folder)
    inputs = processor(text=["月光"], images=[PHOTOS[0].image], return_tensors="pt")
    with torch.inference_mode():
        out = ChineseCLIPModel.from_pretrained(folder).eval()(**inputs)
    np.testing.assert_allclose(out.image_embeds[0].numpy(), photos[0], atol=1e-4)
    np.testing.assert_allclose(out.text_embeds[0].numpy(), texts[0], atol=1e-4)


@pytest.mark.parametrize("scheme", ["hf", "flag"])
def test_cross_encoders_score_between_0_and_1_in_order(tiny: Tiny, scheme: str) -> None:
    model = load("reranker", f"{scheme}:{tiny('cross_encoder')}")
    assert isinstance(model, Reranker)
    verses = [MOON, SNOW, Verse("花", "")] * 9
    scores = model.score("月光照在地上", verses)
    assert scores.dtype == np.float32
    assert scores.shape == (27,)
    assert ((scores > 0) & (scores < 1)).all()
    np.testing.assert_allclose(scores[:3], scores[3:6], atol=1e-4)
    assert len(set(scores[:3].round(4))) == 3
    assert model.score("月", [MOON]).shape == (1,)
    assert model.score("月", []).shape == (0,)


def test_either_library_gives_a_cross_encoder_the_same_score(tiny: Tiny) -> None:
    folder = tiny("cross_encoder")
    flag, sentence = (load("reranker", f"{scheme}:{folder}") for scheme in ("flag", "hf"))
    verses = [Verse("月光山水"), Verse("花好")]
    np.testing.assert_allclose(flag.score("月", verses), sentence.score("月", verses), atol=1e-4)


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


@pytest.mark.parametrize(
    ("seat", "scheme", "model", "says"),
    [
        ("captioner", "hf", "chat_model", "reads text only"),
        ("captioner", "hf", "bert_embedder", "cannot be loaded"),
        ("reranker", "hf", "bert_embedder", "no cross-encoder"),
        ("reranker", "flag", "blip", "no cross-encoder"),
        ("embedder", "clip", "cross_encoder", "does not put photos and texts"),
        ("embedder", "clip", "blip", "weights lack"),
        ("generator", "hf", "bert_embedder", "no chat model"),
    ],
)
def test_a_model_in_the_wrong_seat_is_turned_away(
    tiny: Tiny, seat: str, scheme: str, model: str, says: str
) -> None:
    with pytest.raises(UserError, match=says):
        load(seat, f"{scheme}:{tiny(model)}", translator=f"hf:{tiny('marian')}")


def test_a_damaged_folder_is_one_clear_error(tiny: Tiny, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny("bert_embedder"), tmp_path / "copy")
    (copy / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(UserError, match="cannot be loaded"):
        load("embedder", f"hf:{copy}")
    (copy / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no complete model"):
        load("embedder", f"hf:{copy}")


@pytest.mark.parametrize("seat", ["captioner", "embedder", "reranker", "generator"])
def test_a_model_that_is_not_here_says_how_to_get_it_at_once(
    seat: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError) as caught:
        load(seat, "hf:nobody/has-this")
    assert "img2poem models pull nobody/has-this" in caught.value.hint


def test_a_cached_model_is_found_by_its_name(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    root = tmp_path / "models--someone--reads"
    revision = "0" * 40
    shutil.copytree(tiny("cross_encoder"), root / "snapshots" / revision)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(revision)
    assert load("reranker", "hf:someone/reads").score("月", [MOON]).shape == (1,)
    (root / "snapshots" / revision / "model.safetensors").unlink()
    with pytest.raises(UserError, match="not on this machine"):
        load("reranker", "hf:someone/reads")


def test_a_path_that_does_not_exist_is_not_looked_for_on_the_hub() -> None:
    for path in ("./nowhere", "/no/such/folder", "a/b/c"):
        with pytest.raises(UserError, match="no folder"):
            load("embedder", f"hf:{path}")


def test_a_device_that_is_not_there_is_named() -> None:
    import torch

    from img2poem.models.hub.loading import choose_device

    if torch.cuda.is_available():
        assert choose_device("auto") == "cuda"
        return
    with pytest.raises(UserError, match="no cuda"):
        choose_device("cuda")
    assert choose_device("auto") in {"cpu", "mps"}


def test_batches_shrink_when_memory_runs_out_and_lose_nothing() -> None:
    from img2poem.models.hub.loading import in_batches

    tried: list[int] = []

    def run(batch: Any) -> list[int]:
        tried.append(len(batch))
        if len(batch) > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return [item * 10 for item in batch]

    assert in_batches(list(range(20)), 16, run) == [n * 10 for n in range(20)]
    assert tried[:4] == [16, 8, 4, 2]

    def never(batch: Any) -> list[int]:
        raise RuntimeError("out of memory")

    with pytest.raises(UserError, match="not enough memory"):
        in_batches([1, 2], 2, never)


@pytest.mark.parametrize("scheme", ["hf:bert_embedder", "flag:bert_embedder", "clip:chinese_clip"])
def test_a_gpu_agrees_with_the_cpu(tiny: Tiny, scheme: str) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    kind, _, model = scheme.partition(":")
    texts = ["月光照在床前的地上", "山水花", "好像一层霜"]
    on_cpu, on_gpu = (
        registry.load("embedder", f"{kind}:{tiny(model)}", ModelOptions(device=device))
        for device in ("cpu", "cuda")
    )
    cosines = (on_cpu.encode(texts, kind="query") * on_gpu.encode(texts, kind="query")).sum(1)
    assert cosines.min() > 0.999
