"""Reading works: streams, damaged files, works.json and chinese-poetry."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2poem.corpus.json_stream import read_objects
from img2poem.corpus.works import Work, read_works
from img2poem.errors import UserError

strings = st.text(st.sampled_from('月明"\\{}[],: \n\u200bé𠀀'), max_size=8)
objects = st.lists(
    st.dictionaries(
        strings,
        strings | st.integers(-(2**63), 2**63 - 1) | st.none() | st.lists(strings, max_size=2),
        max_size=4,
    ),
    min_size=1,
    max_size=6,
)
chunks = st.integers(1, 40)


def read_all(path: Path, chunk: int = 1 << 20) -> list[dict[str, Any]]:
    return [item for batch in read_objects(path, chunk=chunk) for item in batch]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json") / "works.json"


@given(objects, chunks, st.sampled_from([None, 2]), st.booleans())
def test_an_array_reads_the_same_in_chunks_of_any_size(
    file: Path, items: list[Any], chunk: int, indent: int | None, bom: bool
) -> None:
    text = json.dumps(items, ensure_ascii=False, indent=indent)
    file.write_text(text, encoding="utf-8-sig" if bom else "utf-8")
    assert read_all(file, chunk) == items


@given(objects, chunks, st.sampled_from(["\n", "\r\n", "\n\n", " "]))
def test_json_lines_read_the_same_in_chunks_of_any_size(
    file: Path, items: list[Any], chunk: int, separator: str
) -> None:
    text = separator.join(json.dumps(item, ensure_ascii=False) for item in items)
    file.write_bytes(text.encode())
    assert read_all(file, chunk) == items


@given(objects, chunks, st.data())
def test_an_array_cut_short_anywhere_is_an_error_that_says_so(
    file: Path, items: list[Any], chunk: int, data: st.DataObject
) -> None:
    whole = json.dumps(items, ensure_ascii=False).encode()
    end = data.draw(st.integers(1, len(whole) - 1))
    file.write_bytes(whole[:end])
    with pytest.raises(UserError, match=f"cut short: it ends at byte {end:,} "):
        read_all(file, chunk)


@given(objects, chunks, st.data())
def test_a_damaged_array_is_read_or_refused_but_never_crashes(
    file: Path, items: list[Any], chunk: int, data: st.DataObject
) -> None:
    whole = bytearray(json.dumps(items, ensure_ascii=False).encode())
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(whole)
    try:
        expected = json.loads(whole)
    except ValueError:
        expected = None
    try:
        found = read_all(file, chunk)
    except UserError:
        return
    assert expected is None or found == expected or isinstance(expected, dict)


def test_a_malformed_work_is_named_by_byte_and_number(tmp_path: Path) -> None:
    path = tmp_path / "works.json"
    text = '[{"Id": 1}, {"Id": 2}, {"Id": oops}, {"Id": 4}]'
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_all(path)
    assert f"byte {text.index('oops')}" in str(error.value)
    assert "2 works were read" in str(error.value)


@pytest.mark.parametrize(
    "text",
    ['[{"Id": 1},]', '[,{"Id": 1}]', '[{"Id": 1}{"Id": 2}]', '[{"Id": 1}] x', "[1, 2]", '"works"'],
)
def test_what_is_not_a_list_of_works_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "works.json"
    path.write_text(text)
    with pytest.raises(UserError, match="not well-formed JSON at byte"):
        read_all(path)


def test_a_file_in_another_encoding_is_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "works.json"
    path.write_bytes('[{"Title": "静夜思"}]'.encode("gb18030"))
    with pytest.raises(UserError, match="not UTF-8 at byte 12"):
        read_all(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "works.json"
    path.write_bytes(b" \n")
    with pytest.raises(UserError, match="is empty"):
        read_all(path)


def test_an_unclosed_quote_does_not_swallow_the_rest_of_a_large_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("img2poem.corpus.json_stream._LONGEST_OBJECT", 1000)
    path = tmp_path / "works.json"
    path.write_text('[{"Id": 1}, {"Title: 2}, ' + '{"Id": 3}, ' * 5000 + '{"Id": 4}]')
    with pytest.raises(UserError, match="1 works were read"):
        read_all(path, chunk=256)


def test_fields_of_a_wrong_type_count_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "works.json"
    path.write_text(
        '[{"Id": "7", "Title": null, "Author": 3, "Kind": "诗", "Content": "春眠不觉晓"}]'
    )
    assert list(read_works(path)) == [[Work(0, "", "", "", "诗", "春眠不觉晓", "")]]


def test_an_id_larger_than_an_index_holds_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "works.json"
    path.write_text('[{"Id": 9223372036854775808, "Kind": "诗", "Content": "春眠不觉晓"}]')
    assert [work.id for works in read_works(path) for work in works] == [0]


def test_a_folder_is_read_file_by_file_with_progress(tmp_path: Path) -> None:
    for name, number in (("works唐.json", 1), ("works宋.json", 2), ("notes.json", 3)):
        (tmp_path / name).write_text(json.dumps([{"Id": number, "Content": "x"}]))
    seen: list[tuple[int, int]] = []
    works = [
        w.id for part in read_works(tmp_path, progress=lambda *at: seen.append(at)) for w in part
    ]
    assert sorted(works) == [1, 2]
    assert seen[-1] == (54, 54)


def test_objects_without_content_are_not_works(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('[{"name": "李白"}]')
    with pytest.raises(UserError, match="no object in it has a Content"):
        list(read_works(path))


@pytest.mark.parametrize("name", ["", "nothing-here"])
def test_a_source_without_works_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError):
        list(read_works(tmp_path / name))


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def test_chinese_poetry_is_read_in_both_its_layouts(tmp_path: Path) -> None:
    poem = {"author": "李白", "title": "靜夜思", "paragraphs": ["牀前看月光，疑是地上霜。"]}
    song = {"author": "苏轼", "rhythmic": "水调歌头", "paragraphs": ["明月几时有？"]}
    play = {"author": "高明《琵琶记》", "title": "琐窗郎", "paragraphs": ["吾家一女娉婷。"]}
    for root, places in (
        (
            "npm",
            ("dist/quantangshi/poet.tang.0.json", "dist/songci/ci.song.0.json", "dist/yuanqu/"),
        ),
        ("git", ("全唐诗/poet.tang.0.json", "宋词/ci.song.0.json", "元曲/")),
    ):
        write(tmp_path / root / places[0], [poem])
        write(tmp_path / root / places[1], [song])
        write(tmp_path / root / places[2] / "yuanqu.json", [play])
        write(tmp_path / root / "dist/rank/poet/poet.tang.rank.0.json", [poem])
        write(tmp_path / root / "dist/quantangshi/authors.tang.json", [{"name": "李白"}])
        works = [work for part in read_works(tmp_path / root) for work in part]
        assert works == [
            Work(1, "靜夜思", "李白", "唐", "诗", "牀前看月光，疑是地上霜。", "", True),
            Work(2, "水调歌头", "苏轼", "宋", "词", "明月几时有？", "", False),
            Work(3, "琵琶记·琐窗郎", "高明", "元", "曲", "吾家一女娉婷。", "", False),
        ]


def test_the_script_of_a_file_holds_for_every_poem_in_it(tmp_path: Path) -> None:
    poems = [{"title": "t", "paragraphs": ["遠近高低各不同。"]}] * 3
    poems += [{"title": "u", "paragraphs": ["不知身在此山中，江流石不。"]}]
    write(tmp_path / "poet.song.0.json", poems)
    works = [work for part in read_works(tmp_path) for work in part]
    assert [work.traditional for work in works] == [True] * 4


def test_chapters_of_a_primer_are_poems_with_their_stated_dynasty(tmp_path: Path) -> None:
    chapter = {
        "chapter": "春眠",
        "author": "（唐）孟浩然",
        "paragraphs": ["春眠不覺曉，處處聞啼鳥。"],
    }
    part = {"type": "五言絕句", "content": [chapter]}
    write(tmp_path / "mengxue/qianjiashi.json", {"title": "千家詩", "content": [part]})
    [[work]] = read_works(tmp_path)
    assert (work.title, work.author, work.dynasty) == ("春眠", "孟浩然", "唐")


def test_lines_without_an_end_mark_get_one_and_signatures_go(tmp_path: Path) -> None:
    poem = {"title": "t", "para": ["山一程，水一程", "何不改此度?", "池上好风光。——刘禹锡"]}
    write(tmp_path / "纳兰性德/纳兰性德诗集.json", [poem])
    [[work]] = read_works(tmp_path)
    assert work.content == "山一程，水一程。\n何不改此度？\n池上好风光。"
    assert work.author == "纳兰性德"


def test_messages_never_show_a_traceback_of_the_parser(tmp_path: Path) -> None:
    path = tmp_path / "works.json"
    path.write_text('[{"Id": 1 "Title"}]')
    with pytest.raises(UserError) as error:
        read_all(path)
    assert not re.search(r"line \d+ column", str(error.value))
