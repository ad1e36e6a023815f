"""``query`` from the command line: answers, output for people and scripts, and refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command import run

SNOW = "雪夜 江上 一叶孤舟 老翁钓鱼"


def test_words_find_the_verse(small: Path) -> None:
    result = run("query", SNOW, "--data", small)
    assert result.code == 0
    assert "独钓寒江雪" in result.out.splitlines()[0]
    assert "柳宗元《江雪》" in result.out


def test_no_verse_at_all_cannot_be_asked_for(small: Path) -> None:
    import img2poem
    from img2poem.errors import UserError

    with pytest.raises(UserError, match="1 or more"):
        img2poem.load(data=str(small)).query(text=SNOW, k=-3)


def test_a_photo_is_compared_with_the_verses_by_its_own_vector(small: Path, photos: Path) -> None:
    import img2poem

    pipeline = img2poem.load(data=str(small))
    best = pipeline.query(photos / "snow-peaks.jpg", k=1).matches[0]
    assert "cosine:photo" in best.channels  # the heads were made for this text model


def test_a_photo_finds_verses_and_says_what_was_seen(small: Path, photos: Path) -> None:
    result = run("query", photos / "snow-peaks.jpg", "--data", small, "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["input"]["photo"].endswith("snow-peaks.jpg")
    assert "山" in document["description"]["text"]
    assert document["matches"]


def test_words_add_what_the_photo_does_not_show(small: Path, photos: Path) -> None:
    plain = json.loads(run("query", photos / "coffee.jpg", "--data", small, "--json").out)
    added = json.loads(run("query", photos / "coffee.jpg", SNOW, "--data", small, "--json").out)
    assert added["input"]["text"] == SNOW
    assert "独钓寒江雪" in "".join(m["verse"] for m in added["matches"])
    assert "独钓寒江雪" not in plain["matches"][0]["verse"]


def test_json_holds_every_key_of_the_contract(small: Path) -> None:
    document = json.loads(run("query", SNOW, "--data", small, "--json", "-k", 2).out)
    assert {"input", "description", "matches", "models", "timings"} <= set(document)
    assert set(document["description"]) == {"text", "imagery", "model"}
    assert [m["rank"] for m in document["matches"]] == [1, 2]
    assert set(document["matches"][0]) == {
        "rank", "score", "source", "verse", "translation", "title", "author", "dynasty",
        "kind", "corpus", "matched_imagery",
    }  # fmt: skip
    assert document["matches"][0]["source"] == "retrieved"
    assert {"雪", "舟船"} <= set(document["matches"][0]["matched_imagery"])


def test_filters_hold_for_every_verse_and_k_still_come(small: Path) -> None:
    for option, key, value in (
        ("--author", "author", "王维"),
        ("--dynasty", "dynasty", "宋"),
        ("--kind", "kind", "词"),
    ):
        document = json.loads(run("query", "山", option, value, "--data", small, "--json").out)
        assert [m[key] for m in document["matches"]] == [value] * 5


def test_many_verses_come_when_many_are_asked_for(small: Path) -> None:
    document = json.loads(run("query", "山", "-k", 90, "--data", small, "--json").out)
    assert len(document["matches"]) == 90


def test_filters_take_names_in_either_script(small: Path, tmp_path: Path) -> None:
    def authors(*options: str, data: Path = small) -> set[tuple[str, str]]:
        result = run("query", "山", *options, "--data", data, "--json", "-k", 3)
        return {(m["author"], m["kind"]) for m in json.loads(result.out)["matches"]}

    assert authors("--author", "王維", "--kind", "詩") == {("王维", "诗")}
    # OpenCC would change these names, which corpora write so.
    rows = [
        {"content": "山色空蒙。", "author": author, "kind": "诗"} for author in ("赵孟頫", "文徵明")
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "c_data.jsonl").write_text(text)
    assert run("build-index", "--corpus", "c", "--data", tmp_path).code == 0
    for asked, written in (("赵孟頫", "赵孟頫"), ("趙孟頫", "赵孟頫"), ("文徵明", "文徵明")):
        found = authors("--corpus", "c", "--author", asked, data=tmp_path)
        assert found == {(written, "诗")}


def test_an_unknown_poet_gets_the_nearest_suggested(small: Path) -> None:
    result = run("query", "山", "--author", "李白白", "--data", small)
    assert result.code == 1
    assert "No poet 李白白" in result.err
    assert "李白" in result.err.split("Nearest")[1]


def test_several_corpora_are_one_list(small: Path) -> None:
    result = run("query", SNOW, "--corpus", "ct,select_c", "--data", small, "--json")
    matches = json.loads(result.out)["matches"]
    assert "独钓寒江雪" in matches[0]["verse"]
    assert len({m["verse"] for m in matches}) == len(matches)
    scores = [m["score"] for m in matches]
    assert scores == sorted(scores, reverse=True)


def test_what_poetry_does_not_speak_of_is_said_to_have_no_close_verse(small: Path) -> None:
    result = run("query", "用 Python 解析 JSON", "--data", small)
    assert result.code == 0
    assert "no verse is close" in result.err


def test_min_score_decides_what_is_close(small: Path) -> None:
    assert "no verse is close" not in run("query", SNOW, "--data", small, "--min-score", 0).err
    assert "no verse is close" in run("query", SNOW, "--data", small, "--min-score", 1).err


def test_where_nothing_is_close_to_a_photo_words_are_asked_for(small: Path, photos: Path) -> None:
    far = ("query", photos / "coffee.jpg", "--data", small, "--min-score", 1)
    assert "words beside the photo" in run(*far).err
    assert "words beside the photo" not in run(*far, "一杯咖啡").err


def test_explain_shows_channels_and_times_and_leaves_the_result_alone(small: Path) -> None:
    plain = run("query", SNOW, "--data", small)
    explained = run("query", SNOW, "--data", small, "--explain")
    assert explained.out == plain.out
    assert "cosine" in explained.err and "words" in explained.err
    assert " ms" in explained.err


def test_traditional_text_of_the_source_is_shown_in_every_output(tmp_path: Path) -> None:
    poem = {
        "author": "蘇軾",
        "title": "題西林壁",
        "paragraphs": ["橫看成嶺側成峰，遠近高低各不同。"],
    }
    source = tmp_path / "全唐诗/poet.song.0.json"
    source.parent.mkdir()
    source.write_text(json.dumps([poem]), encoding="utf-8")
    home = tmp_path / "home"
    assert run("prepare", source.parent, "--out", home).code == 0
    assert run("build-index", "--corpus", "c", "--data", home).code == 0
    ask = ("query", "山峰", "--corpus", "c", "--data", home, "--traditional")
    assert "橫看成嶺側成峰" in run(*ask).out
    (match,) = json.loads(run(*ask, "--json").out)["matches"]
    assert match["verse"] == "橫看成嶺側成峰，遠近高低各不同。"


def test_a_source_that_is_not_there_makes_no_data_folder(tmp_path: Path) -> None:
    assert run("prepare", tmp_path / "nothing", "--out", tmp_path / "home").code == 1
    assert not (tmp_path / "home" / ".img2poem").exists()


def test_explain_and_json_go_together(small: Path) -> None:
    explained = run("query", SNOW, "--data", small, "--explain", "--json")
    assert json.loads(explained.out)["matches"]
    assert "where each verse came from" in explained.err


def test_bytes_that_are_no_characters_are_no_matter(small: Path) -> None:
    document = json.loads(run("query", "雪夜\udcff", "--data", small, "--json").out)
    assert document["matches"]
    assert document["input"]["text"] == "雪夜\\udcff"


def test_traditional_words_ask_the_same(small: Path) -> None:
    simplified = json.loads(run("query", "孤舟 钓鱼 雪", "--data", small, "--json").out)
    traditional = json.loads(run("query", "孤舟 釣魚 雪", "--data", small, "--json").out)
    assert traditional["matches"] == simplified["matches"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["", "--corpus", "ct"], 2, "nothing to look for"),
        (["   "], 2, "nothing to look for"),
        (["gone.jpg"], 1, "no file gone.jpg"),
        (["山", "--corpus", "poems"], 2, "no corpus 'poems'"),
        (["山", "-k", "0"], 2, "1 or more"),
        (["山", "--embedder", "magic"], 1, "No embedder is called 'magic'"),
        (["山", "--min-score", "3"], 2, "between 0 and 1"),
        (["a.jpg", "b.jpg"], 2, "One photo at a time"),
    ],
)
def test_a_bad_question_gets_one_clear_answer(
    small: Path, arguments: list[str], code: int, said: str
) -> None:
    result = run("query", *arguments, "--data", small)
    assert result.code == code
    assert said in result.err
    assert result.out == ""
    assert "Traceback" not in result.err


def test_a_question_of_ten_thousand_characters_is_answered(small: Path) -> None:
    result = run("query", "明月几时有，把酒问青天。" * 900, "--data", small)
    assert result.code == 0
    assert result.out


@pytest.mark.parametrize("words", ["🐱🌙", "moon over the river", "□", "𪚥", "a" * 300, "，。！"])
def test_unusual_words_never_break_it(small: Path, words: str) -> None:
    result = run("query", words, "--data", small)
    assert result.code == 0
    assert "Traceback" not in result.err


def test_a_folder_is_sent_to_batch(small: Path, tmp_path: Path) -> None:
    result = run("query", tmp_path, "--data", small)
    assert result.code == 1
    assert "img2poem batch" in result.err


def test_without_a_corpus_or_index_the_command_to_run_is_named(small: Path, tmp_path: Path) -> None:
    empty = run("query", "山", "--data", tmp_path)
    assert empty.code == 1
    assert "img2poem prepare" in empty.err
    shutil.copy(small / "ct_data.jsonl", tmp_path)
    unbuilt = run("query", "山", "--data", tmp_path)
    assert unbuilt.code == 1
    assert f"img2poem build-index --corpus ct --data {tmp_path}" in unbuilt.err.replace("\n", "")


def test_a_damaged_index_names_the_command_that_rebuilds_it(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small, tmp_path / "d")
    vectors = next((tmp_path / "d").glob("indexes/ct-*/vectors.faiss"))
    vectors.write_bytes(vectors.read_bytes()[:100])
    result = run("query", "山", "--data", tmp_path / "d")
    assert result.code == 1
    assert f"img2poem build-index --corpus ct --data {tmp_path / 'd'} --force" in result.err


def test_debug_shows_the_traceback(small: Path) -> None:
    with pytest.raises(Exception, match="no file"):
        run("query", "gone.jpg", "--data", small, "--debug")


def test_build_index_that_is_there_says_so_and_stops(small: Path) -> None:
    result = run("build-index", "--corpus", "ct", "--data", small)
    assert "--force" in result.out + result.err


def test_config_names_the_source_of_each_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG2POEM_K", "9")
    shown = run("config")
    assert shown.code == 0
    line = next(line for line in shown.out.splitlines() if line.startswith("k "))
    assert "9" in line and "environment" in line
