"""The hub's embedders and rerankers, loaded from folders by the real libraries."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hub_models import PHOTOS, Tiny, load, no_network

from img2poem.corpus.verse import Verse
from img2poem.models import registry
from img2poem.models.base import Embedder, PhotoEmbedder, Reranker
from img2poem.models.registry import ModelOptions

pytest.importorskip("FlagEmbedding")

_no_network = pytest.fixture(autouse=True)(no_network)

MOON = Verse("床前明月光，疑是地上霜。", "月光照在床前的地上，好像一层霜。")
SNOW = Verse("山中雪", "山水")


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
