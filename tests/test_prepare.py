"""Works to corpora."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from img2poem.corpus import FILES
from img2poem.corpus.jsonl import read_verses
from img2poem.corpus.prepare import default_poets, prepare, read_poets
from img2poem.corpus.verse import Verse
from img2poem.errors import UserError


def work(content: str, translation: str | None = None, **fields: Any) -> dict[str, Any]:
    given = {"Id": 1, "Title": "静夜思", "Dynasty": "唐", "Author": "李白", "Kind": "诗"}
    return given | {"Content": content, "Translation": translation} | fields


def prepared(tmp_path: Path, *works: dict[str, Any], **options: Any) -> dict[str, list[Verse]]:
    source = tmp_path / "works.json"
    source.write_text(json.dumps(works, ensure_ascii=False), encoding="utf-8")
    prepare(source, tmp_path / "out", **options)
    return {corpus: list(read_verses(tmp_path / "out" / name)) for corpus, name in FILES.items()}


def test_a_translated_poem_gives_pairs_and_sentences(tmp_path: Path) -> None:
    corpora = prepared(
        tmp_path, work("床前明月光，\r\n疑是地上霜。", "床前洒满月光，\r\n好像地上的霜。")
    )
    meta = {"title": "静夜思", "author": "李白", "dynasty": "唐", "kind": "诗", "work_id": 1}
    assert corpora["ct"] == [
        Verse("床前明月光，", "床前洒满月光，", **meta, line_no=0),
        Verse("疑是地上霜。", "好像地上的霜。", **meta, line_no=1),
    ]
    assert corpora["c"] == [Verse("床前明月光，疑是地上霜。", **meta)]
    assert corpora["select_c"] == corpora["c"]


def test_occasions_go_with_their_lines(tmp_path: Path) -> None:
    occasions = "睡不着；半夜看手机\n\n在外地打工；想家"
    content = "床前明月光，\n疑是地上霜。\n低头思故乡。"
    rows = prepared(tmp_path, work(content, "月光\n像霜\n想家", Occasions=occasions))["ct"]
    assert [row.phrases for row in rows] == [["睡不着", "半夜看手机"], [], ["在外地打工", "想家"]]


@pytest.mark.parametrize("occasions", ["睡不着", "睡不着\n\n想家", None, 7, ["睡不着"]])
def test_occasions_that_fit_no_line_are_left_out(tmp_path: Path, occasions: object) -> None:
    fields = {"Occasions": occasions}
    rows = prepared(tmp_path, work("床前明月光，\n疑是地上霜。", "月光\n像霜", **fields))["ct"]
    assert [row.occasions for row in rows] == ["", ""]


def test_occasions_with_other_lines_are_counted(tmp_path: Path) -> None:
    source = tmp_path / "works.json"
    works = [work("床前明月光，\n疑是地上霜。", "月光\n像霜", Occasions="睡不着")]
    source.write_text(json.dumps(works, ensure_ascii=False), encoding="utf-8")
    report = prepare(source, tmp_path / "out")
    assert report.written["ct"] == 2
    assert report.skipped_rows["ct"] == {"a work's occasions, which have other lines": 1}


def test_the_keys_of_a_row_are_those_of_the_format(tmp_path: Path) -> None:
    prepared(tmp_path, work("床前明月光。"))
    row = json.loads((tmp_path / "out/c_data.jsonl").read_text(encoding="utf-8"))
    assert list(row) == [
        "content", "translation", "author", "title", "dynasty", "kind", "work_id", "line_no",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "unfit",
    [
        work("先帝创业未半。", Kind="文"),
        work(""),
        work("月"),
        work("\u200b月\u200b"),
        work("【其一】\r\n上山采薇。"),
        work(None),  # type: ignore[arg-type]
    ],
)
def test_works_that_are_not_verse_are_skipped_and_counted(
    tmp_path: Path, unfit: dict[str, Any]
) -> None:
    source = tmp_path / "works.json"
    source.write_text(json.dumps([unfit, work("明月几时有？")]))
    report = prepare(source, tmp_path / "out")
    assert report.works == 2
    assert sum(report.skipped_works.values()) == 1
    assert report.written["c"] == 1


def test_repeats_of_a_poet_go_but_not_those_of_another(tmp_path: Path) -> None:
    corpora = prepared(
        tmp_path,
        work("春眠不觉晓。处处闻啼鸟。", Title="甲"),
        work("春眠不觉晓。夜来风雨声。", Title="乙"),
        work("春眠不觉晓。", Author="无名氏"),
    )
    assert [(v.text, v.author) for v in corpora["c"]] == [
        ("春眠不觉晓。", "李白"),
        ("处处闻啼鸟。", "李白"),
        ("夜来风雨声。", "李白"),
        ("春眠不觉晓。", "无名氏"),
    ]
    assert {v.author for v in corpora["select_c"]} == {"李白"}


def test_faulty_sentences_go_with_a_reason_and_keep_the_others_numbers(tmp_path: Path) -> None:
    source = tmp_path / "works.json"
    source.write_text(json.dumps([work("春□花开。兮。明月几时有（一作何）？")]))
    report = prepare(source, tmp_path / "out")
    [verse] = read_verses(tmp_path / "out/c_data.jsonl")
    assert (verse.text, verse.line_no) == ("明月几时有？", 2)
    assert report.skipped_rows["c"] == {
        "a lost character": 1,
        "fewer than two Han characters": 1,
    }
    assert ("  skipped: a lost character", "1") in report.rows()


def test_another_list_of_poets_replaces_the_one_that_ships(tmp_path: Path) -> None:
    poets = tmp_path / "poets.txt"
    poets.write_text("\ufeff张三 李四\n王五 # 旧友\n", encoding="utf-8")
    names = read_poets(poets)
    assert names == {"张三", "李四", "王五"}
    corpora = prepared(
        tmp_path, work("明月几时有？", Author="王五"), work("把酒问青天。"), poets=names
    )
    assert [v.author for v in corpora["select_c"]] == ["王五"]


def test_the_shipped_list_holds_the_famous_poets() -> None:
    poets = default_poets()
    assert {"李白", "杜甫", "苏轼", "纳兰性德", "郑燮"} <= poets
    assert len(poets) == 79


def test_traditional_text_is_kept_beside_the_simplified(tmp_path: Path) -> None:
    poem = {
        "author": "蘇軾",
        "title": "題西林壁",
        "paragraphs": ["橫看成嶺側成峰，遠近高低各不同。", "乾坤皇后在後宮。"],
    }
    source = tmp_path / "全唐诗/poet.song.0.json"
    source.parent.mkdir()
    source.write_text(json.dumps([poem]), encoding="utf-8")
    prepare(tmp_path / "全唐诗", tmp_path / "out")
    first, second = read_verses(tmp_path / "out/select_c_data.jsonl")
    assert (first.text, first.traditional) == (
        "横看成岭侧成峰，远近高低各不同。",
        "橫看成嶺側成峰，遠近高低各不同。",
    )
    assert second.text == "乾坤皇后在后宫。"
    assert (first.author, first.title, first.dynasty) == ("苏轼", "题西林壁", "宋")


def test_a_damaged_source_leaves_what_was_there_and_nothing_half_written(tmp_path: Path) -> None:
    before = prepared(tmp_path, work("明月几时有？"))
    source = tmp_path / "works.json"
    source.write_text(json.dumps([work("把酒问青天。")] * 3)[:-20], encoding="utf-8")
    with pytest.raises(UserError, match="cut short"):
        prepare(source, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES.values())
    assert list(read_verses(tmp_path / "out/c_data.jsonl")) == before["c"]


def test_a_full_disk_is_said_so_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="is full"):
        prepared(tmp_path, work("明月几时有？"))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_where_the_folder_should_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError):
        prepared(tmp_path, work("明月几时有？"))


def test_rows_of_the_original_project_load(tmp_path: Path) -> None:
    path = tmp_path / "ct_data.jsonl"
    path.write_text(
        '\ufeff{"content": "明月光", "translation": "月光"}\n\n'
        '{"content": "a", "author": "李白"}\n',
        encoding="utf-8",
    )
    assert list(read_verses(path)) == [Verse("明月光", "月光"), Verse("a", author="李白")]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"translation": "x"}',
        '{"content": 3}',
        '{"content": "x", "work_id": "1"}',
        "\udcff",
    ],
)
def test_a_row_that_is_no_verse_is_named_by_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "c_data.jsonl"
    path.write_bytes(b'{"content": "ok"}\n' + line.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(UserError, match="line 2"):
        list(read_verses(path))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    source = tmp_path / "works.json"
    item = json.dumps(work("明月几时有？把酒问青天。", Comment="注" * 2000), ensure_ascii=False)
    with source.open("w", encoding="utf-8") as file:
        file.write("[" + item)
        file.writelines("," + item for _ in range(20_000))
        file.write("]")
    assert source.stat().st_size > 100e6
    code = (
        "import sys; from pathlib import Path;"
        "from img2poem.corpus.prepare import prepare;"
        "prepare(Path(sys.argv[1]), Path(sys.argv[2]));"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    arguments = [sys.executable, "-c", code, str(source), str(tmp_path / "out")]
    kilobytes = int(subprocess.run(arguments, capture_output=True, check=True).stdout)
    assert kilobytes < 120_000


def test_files_that_are_there_are_not_replaced_by_empty_ones(tmp_path: Path) -> None:
    prepared(tmp_path, work("床前明月光，疑是地上霜。"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(UserError, match=r"its kind is not 诗, 词 or 曲 \(1\)"):
        prepared(tmp_path, work("床前明月光，疑是地上霜。", Kind="文"))
    with pytest.raises(UserError, match="None of the 1 poets"):
        prepared(tmp_path, work("床前明月光，疑是地上霜。"), poets=frozenset(['["李白"]']))
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
