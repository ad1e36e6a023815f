"""Written verses: their form, whether they are new, when they are written, where they stand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hashing_embedder import HashingEmbedder
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from img2poem.corpus.script import HAN
from img2poem.corpus.verse import Verse
from img2poem.errors import UserError
from img2poem.index.build import build_index
from img2poem.index.store import VerseIndex
from img2poem.models.base import Photo
from img2poem.pipeline.asking import Ask
from img2poem.pipeline.pipeline import Pipeline
from img2poem.pipeline.write import Writer, check_form, find_known
from img2poem.settings import Settings

VERSES = [
    Verse("床前明月光，疑是地上霜。", "月光照在床前。", "静夜思", "李白", "唐", "诗", 1, 0),
    Verse("孤舟蓑笠翁，独钓寒江雪。", "雪里钓鱼的老人。", "江雪", "柳宗元", "唐", "诗", 2, 0),
    Verse("大江东去，浪淘尽，千古风流人物。", "长江东流。", "念奴娇", "苏轼", "宋", "词", 3, 0),
]
FIELDS = ("translation", "title", "author", "dynasty", "kind", "work_id", "line_no")
NEW = "寒灯照夜雨，孤雁落平沙。"


class Scripted:
    """A generator that gives prepared answers and keeps what it was asked."""

    name = "scripted"

    def __init__(self, *answers: str | UserError) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def write(self, description: str, photo: Photo | None = None) -> str:
        self.asked.append(description)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, UserError):
            raise answer
        return answer


class Fixed:
    """A reranker with one score for new verses and one for the corpus's."""

    name = "fixed"
    threshold = 0.5

    def __init__(self, known: float, new: float) -> None:
        self.known, self.new = known, new

    def score(self, query: str, verses: list[Verse]) -> np.ndarray:
        scores = [self.known if verse.author else self.new for verse in verses]
        return np.array(scores, dtype=np.float32)


class Notices:
    """A reporter that keeps notices."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def notice(self, message: str) -> None:
        self.kept.append(message)

    def task(self, label: str) -> Any:
        return lambda done, total: None


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> VerseIndex:
    folder = tmp_path_factory.mktemp("write")
    rows = [{"content": verse.text} | {f: getattr(verse, f) for f in FIELDS} for verse in VERSES]
    (folder / "c.jsonl").write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    build_index(folder / "c.jsonl", folder / "index", HashingEmbedder(), corpus="c")
    return VerseIndex.open(folder / "index")


def pipeline(index: VerseIndex, generator: Any, reranker: Any, **settings: Any) -> Pipeline:
    """A pipeline whose models are these; everything between them is the real thing."""
    made = Pipeline(Settings(generator="scripted", k=3, **settings), Notices())
    made.__dict__ |= {
        "indexes": {"c": index},
        "embedder": HashingEmbedder(),
        "generator": generator,
        "reranker": reranker,
    }
    return made


@pytest.mark.parametrize(
    ("answer", "verse", "kind"),
    [
        ("寒灯照夜雨，孤雁落平沙", NEW, "诗"),
        ("“寒灯照夜雨,孤雁落平沙.”", NEW, "诗"),
        ("寒灯照夜雨。孤雁落平沙！", NEW, "诗"),
        ("寒灯照夜雨", "寒灯照夜雨。", "诗"),
        ("一夜西风吹落叶，满江寒雨打孤舟。", "一夜西风吹落叶，满江寒雨打孤舟。", "诗"),
        ("二〇年来事，年年夜夜心。", "二〇年来事，年年夜夜心。", "诗"),
        ("行行重行行，脉々不得语。", "行行重行行，脉々不得语。", "诗"),
        ("灯火阑珊，梦断江南岸。", "灯火阑珊，梦断江南岸。", "词"),
    ],
)
def test_a_line_with_the_form_of_a_verse_is_taken(answer: str, verse: str, kind: str) -> None:
    assert check_form(answer) == (verse, kind, "")


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "。",
        "好的，这是一句诗：寒灯照夜雨",
        "a quiet moon",
        "寒灯照夜雨 by AI",
        "寒灯",
        "寒灯照夜雨，孤雁落平沙，明月入怀来，清风过小桥。",
        "寒灯照夜雨平沙孤雁落明月清风里",
        "寒灯照夜雨，寒灯照夜雨。",
        "月月月月月，月月月月月。",
        "《夜雨》寒灯照夜雨",
    ],
)
def test_a_line_without_it_is_not(answer: str) -> None:
    text, _, fault = check_form(answer)
    assert not text
    assert fault


@given(st.text(max_size=40))
def test_whatever_passes_is_characters_commas_and_a_stop(answer: str) -> None:
    text, kind, fault = check_form(answer)
    if not fault:
        assert kind in {"诗", "词"}
        assert text.endswith("。")
        assert check_form(text) == (text, kind, "")
        assert re.fullmatch(f"[{HAN}，。]+", text)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("床前明月光，疑是地上霜。", 0),
        ("床前明月光。", 0),
        ("独钓寒江雪，归来夜已深。", 1),
        ("大江东去，浪淘尽。", 2),
    ],
)
def test_a_verse_of_the_corpus_is_recognised(index: VerseIndex, written: str, number: int) -> None:
    found = find_known(written, {"c": index})
    assert found is not None
    assert (found.verse, found.corpus) == (VERSES[number], "c")


@pytest.mark.parametrize("written", [NEW, "霜孤舟蓑笠。", "大江东去，春水西来。"])
def test_a_new_verse_is_not(index: VerseIndex, written: str) -> None:
    assert find_known(written, {"c": index}) is None


def test_one_retry_says_what_was_wrong(index: VerseIndex) -> None:
    generator, notices = Scripted("当然！以下是诗句", NEW), Notices()
    written = Writer(generator, {"c": index}, notices.notice).write("雨夜")
    assert written is not None
    assert written.verse.text == NEW
    assert written.verse.author == ""
    assert generator.asked[0] == "雨夜"
    assert "当然！以下是诗句" in generator.asked[1]
    assert not notices.kept


@pytest.mark.parametrize("answer", ["no", UserError("The endpoint is down.")])
def test_after_that_it_is_left_out_with_a_notice(index: VerseIndex, answer: Any) -> None:
    generator, notices = Scripted(answer), Notices()
    assert Writer(generator, {"c": index}, notices.notice).write("雨夜") is None
    assert len(generator.asked) <= 2
    assert len(notices.kept) == 1


def test_nothing_is_written_while_a_retrieved_verse_is_close(index: VerseIndex) -> None:
    generator = Scripted(NEW)
    result = pipeline(index, generator, Fixed(0.6, 0.9)).query(text="月光")
    assert not generator.asked
    assert {match.source for match in result.matches} == {"retrieved"}


def test_a_verse_is_written_when_nothing_is_close_and_ranked_with_the_rest(
    index: VerseIndex,
) -> None:
    generator = Scripted(NEW)
    result = pipeline(index, generator, Fixed(0.4, 0.9)).query(text="雨夜")
    assert [match.source for match in result.matches] == ["generated", "retrieved", "retrieved"]
    first = result.as_dict()["matches"][0]
    assert (first["verse"], first["source"], first["corpus"]) == (NEW, "generated", "")
    assert result.models["generator"] == "scripted"
    low = pipeline(index, Scripted(NEW), Fixed(0.4, 0.1), min_score=0.45).query(text="往事", k=4)
    assert [match.source for match in low.matches][-1] == "generated"


def test_a_written_verse_that_is_not_among_the_first_is_told(index: VerseIndex) -> None:
    made = pipeline(index, Scripted(NEW), Fixed(0.9, 0.1), generate="always")
    assert {match.source for match in made.query(text="雨夜", k=2).matches} == {"retrieved"}
    assert made.reporter.kept == [f"a verse was written, but others fit better: {NEW}"]


def test_min_score_decides_what_is_close(index: VerseIndex) -> None:
    generator = Scripted(NEW)
    pipeline(index, generator, Fixed(0.4, 0.9), min_score=0.3).query(text="雨夜")
    assert not generator.asked


def test_always_and_never_mean_it(index: VerseIndex) -> None:
    generator = Scripted(NEW)
    pipeline(index, generator, Fixed(0.1, 0.9), generate="never").query(text="雨夜")
    assert not generator.asked
    result = pipeline(index, generator, Fixed(0.9, 0.95), generate="always").query(text="雨夜")
    assert result.matches[0].source == "generated"


def test_a_copied_verse_is_shown_as_the_poets_own(index: VerseIndex) -> None:
    generator = Scripted("床前明月光，疑是地上霜。")
    result = pipeline(index, generator, Fixed(0.2, 0.9), generate="always").query(text="雨夜")
    assert {match.source for match in result.matches} == {"retrieved"}
    assert [m.verse.author for m in result.matches].count("李白") == 1


def test_a_verse_that_is_nearly_a_real_one_gives_way_to_it(index: VerseIndex) -> None:
    generator = Scripted("孤舟蓑笠叟，独钓寒江月。")
    result = pipeline(index, generator, Fixed(0.2, 0.9), generate="always").query(text="雪")
    assert {match.source for match in result.matches} == {"retrieved"}


@pytest.mark.parametrize("hyde", ["off", "only", "concat"])
def test_no_verse_is_written_for_one_poet(index: VerseIndex, hyde: str) -> None:
    generator = Scripted(NEW)
    made = pipeline(index, generator, Fixed(0.1, 0.9), generate="always", hyde=hyde)
    assert [m.verse.author for m in made.query(text="雨夜", author="李白").matches] == ["李白"]
    assert not generator.asked


def test_without_a_generator_writing_is_a_wrong_command_line(index: VerseIndex) -> None:
    for settings in ({"generate": "always"}, {"hyde": "only"}):
        with pytest.raises(UserError, match="no generator") as caught:
            pipeline(index, None, Fixed(0.1, 0.9), **settings).query(text="雨夜")
        assert caught.value.exit_code == 2


def test_hyde_searches_with_the_written_verse(index: VerseIndex) -> None:
    written = "孤舟寒江上，独钓满天雪。"
    for hyde, asked in (("only", written), ("concat", f"老人，{written}")):
        generator = Scripted(written)
        made = pipeline(index, generator, Fixed(0.6, 0.1), hyde=hyde)
        result = made.query(text="老人")
        vector = HashingEmbedder().encode([asked], kind="query")
        channels = {m.verse.author: m.channels for m in result.matches}
        cosine = float(index.cosines(vector, np.array([1]))[0, 0])
        assert channels["柳宗元"]["cosine:hyde"] == pytest.approx(cosine, abs=1e-3)
        assert "cosine:words" not in channels["柳宗元"]
        assert len(generator.asked) == 1


class Seeing(HashingEmbedder):
    """An embedder that takes photos itself."""

    def encode_photos(self, photos: list[Photo]) -> np.ndarray:
        return self.encode(["雪"] * len(photos), kind="query")


def test_a_photo_that_is_compared_with_verses_itself_is_never_left_out(index: VerseIndex) -> None:
    def made(hyde: str) -> Pipeline:
        made = pipeline(index, Scripted(NEW), Fixed(0.6, 0.1), hyde=hyde)
        made.__dict__["embedder"] = Seeing()
        return made

    photo = Ask("", Photo(Image.new("RGB", (8, 8))))
    with pytest.raises(UserError, match="--hyde only would leave out") as caught:
        made("only").answer([photo])
    assert caught.value.exit_code == 2
    for hyde in ("off", "concat"):
        (result,) = made(hyde).answer([photo])
        assert "cosine:photo" in result.matches[0].channels
    assert made("only").query(text="雪").matches


def test_hyde_without_a_usable_verse_searches_as_ever(index: VerseIndex) -> None:
    made = pipeline(index, Scripted("no"), Fixed(0.6, 0.1), hyde="only")
    result = made.query(text="月光")
    assert "cosine:words" in result.matches[0].channels
    assert made.reporter.kept == [f"no verse was written: {check_form('no')[2]}."]


def test_find_text_does_not_reach_across_verses(index: VerseIndex) -> None:
    assert index.find_text("霜。孤舟") is None
    assert index.find_text("寒江雪") == 1
    assert index.find_text("没有") is None
    assert VerseIndex.open(Path(index.folder)).find_text("千古风流人物。") == 2
