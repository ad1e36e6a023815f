"""The shipped text models, as a user of their seats meets them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from img2poem.corpus.verse import Verse
from img2poem.errors import UserError
from img2poem.models.builtin import text as builtin
from img2poem.models.builtin.text import BuiltinEmbedder, BuiltinReranker

SNOW = Verse("孤舟蓑笠翁，独钓寒江雪。", "孤零零的小船上，披蓑戴笠的老翁独自在落雪的寒江垂钓。")
HOME = Verse("举头望明月，低头思故乡。", "抬头望着明月，低下头来想念故乡。")
SPRING = Verse("春眠不觉晓，处处闻啼鸟。", "春夜酣睡不知不觉天亮了，到处听见鸟儿的叫声。")
RIVER = Verse("孤帆远影碧空尽，唯见长江天际流。")


@pytest.fixture(scope="module")
def embedder() -> BuiltinEmbedder:
    return BuiltinEmbedder(threads=1)


@pytest.fixture(scope="module")
def reranker() -> BuiltinReranker:
    return BuiltinReranker(threads=1)


def embed(embedder: BuiltinEmbedder, *texts: str) -> np.ndarray:
    return embedder.encode(texts, kind="query")


def test_vectors_have_length_one(embedder):
    vectors = embed(embedder, SNOW.text, "雪夜钓鱼", "a")
    assert vectors.dtype == np.float32 and vectors.shape == (3, embedder.dim)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_text_gives_no_vector(embedder):
    assert embedder.encode([], kind="passage").shape == (0, embedder.dim)


def test_the_same_text_has_the_same_vector_whatever_it_is_asked_as(embedder):
    assert np.array_equal(
        embedder.encode([SNOW.text], kind="query"), embedder.encode([SNOW.text], kind="passage")
    )


def test_a_text_keeps_its_vector_in_a_batch(embedder):
    alone = embed(embedder, SNOW.text)[0]
    beside_long = embed(embedder, "月" * 300, SNOW.text, "雪", *[HOME.text] * 70)[1]
    assert alone @ beside_long > 0.97


def test_traditional_characters_read_as_simplified(embedder, reranker):
    one, other = embed(embedder, "舉頭望明月，低頭思故鄉。", HOME.text)
    assert one @ other == pytest.approx(1, abs=1e-5)
    scores = [reranker.score(query, [HOME])[0] for query in ("思念故鄉", "思念故乡")]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("雪天一个老人在江上独自钓鱼", SNOW),
        ("月光让人想家", HOME),
        ("春天早上听到鸟叫", SPRING),
        ("船越走越远，消失在天边", RIVER),
    ],
)
def test_modern_words_find_their_verse(embedder, reranker, words, wanted):
    verses = [SNOW, HOME, SPRING, RIVER]
    cosines = embedder.encode([v.text for v in verses], kind="passage") @ embed(embedder, words)[0]
    assert verses[int(cosines.argmax())] is wanted
    assert verses[int(reranker.score(words, verses).argmax())] is wanted


def test_rare_characters_stay_apart(embedder):
    vectors = embed(embedder, *"鬰鼉龑靐龗麤𠮷䴉㵘鱻")
    cosines = vectors @ vectors.T - np.eye(len(vectors))
    assert cosines.max() < 0.999


@pytest.mark.parametrize(
    "text", ["", " ", "🌕🎑", "。！？", "\x00", "\ue000", "鬰𠮷", "moon", "月" * 10_000]
)
def test_odd_texts_are_read(embedder, reranker, text):
    vector = embed(embedder, text)[0]
    assert np.isfinite(vector).all() and np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    scores = reranker.score(text, [Verse(text, text), SNOW])
    assert np.isfinite(scores).all() and ((scores >= 0) & (scores <= 1)).all()


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_has_a_vector(embedder, text):
    assert np.isfinite(embed(embedder, text)).all()


def test_scores_do_not_depend_on_order_or_company(reranker):
    verses = [SNOW, HOME, SPRING, RIVER] * 8
    scores = reranker.score("想家", verses)
    assert scores.dtype == np.float32 and scores.shape == (32,)
    assert scores.reshape(8, 4).std(0).max() < 0.05
    assert scores[::-1] == pytest.approx(reranker.score("想家", verses[::-1]), abs=0.05)


def test_no_verses_give_no_scores(reranker):
    assert reranker.score("想家", []).shape == (0,)


def test_a_rendering_can_only_help(reranker):
    query = "老人在雪天独自钓鱼"
    bare = reranker.score(query, [Verse(SNOW.text)])[0]
    assert reranker.score(query, [SNOW])[0] >= bare - 1e-4


def test_an_occasion_answers_words_of_today(reranker):
    quoted = replace(HOME, occasions="春运没抢到票；在外地打工想家")
    bare, helped = reranker.score("春运抢票没抢到", [HOME, quoted])
    assert helped > bare + 0.2
    assert reranker.score("一片竹林", [quoted])[0] < reranker.threshold


def test_words_that_a_verse_says_score_above_words_that_poetry_does_not(reranker):
    verses = [SNOW, HOME, SPRING]
    said = [reranker.score(v.translation, verses).max() for v in verses]
    unsaid = [
        reranker.score(words, verses).max()
        for words in ("用 Python 解析 JSON", "MySQL 索引失效的原因", "iPhone 多少钱", "sort a list")
    ]
    assert min(said) > max(unsaid)
    assert min(said) >= reranker.threshold > max(unsaid)


def test_a_verse_read_before_scores_the_same_and_few_are_kept(monkeypatch):
    monkeypatch.setattr(builtin, "KEPT_READINGS", 4)
    reranker = BuiltinReranker(threads=1)
    first = reranker.score("想家", [SNOW, HOME])
    assert np.array_equal(reranker.score("想家", [SNOW, HOME]), first)
    reranker.score("春天", [SPRING, RIVER])
    assert len(reranker._known) == 4
    assert reranker.score("想家", [SNOW, HOME]) == pytest.approx(first, abs=0.05)


@pytest.fixture
def unloaded():
    """Weights are read anew, and what the test makes of them is not kept."""
    builtin._encoder.cache_clear()
    yield
    builtin._encoder.cache_clear()


@pytest.mark.usefixtures("unloaded")
def test_the_fingerprint_changes_with_the_weights(monkeypatch, embedder):
    read = builtin._weights
    changed = {"tokenizer.json": read("tokenizer.json") + b"\n"}
    monkeypatch.setattr(builtin, "_weights", lambda name: changed.get(name) or read(name))
    other = BuiltinEmbedder(threads=1)
    assert other.fingerprint != embedder.fingerprint


@pytest.mark.usefixtures("unloaded")
def test_missing_weights_are_a_clear_error(monkeypatch, tmp_path):
    monkeypatch.setattr("img2poem.models.builtin.weights.files", lambda _: tmp_path)
    with pytest.raises(UserError, match=r"embedder\.onnx is missing"):
        BuiltinEmbedder()
