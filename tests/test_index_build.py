"""Building an index: what is embedded, resuming, atomicity, errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hashing_embedder import HashingEmbedder

from img2poem.corpus.jsonl import dump_row
from img2poem.corpus.verse import Verse
from img2poem.errors import UserError
from img2poem.index import build as building
from img2poem.index import quantise
from img2poem.index.build import build_index
from img2poem.index.manifest import Manifest
from img2poem.index.store import VerseIndex

VERSES = [
    Verse(f"{a}{b}{c}。", f"{c}在{b}里{a}", author="佚名")
    for a in "春夏秋冬日月星辰" for b in "山水云石江河湖海" for c in "花鸟鱼虫风霜雨雪"
] * 4  # fmt: skip
PARTS = ["manifest.json", "vectors.faiss", "verses.bin"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "indexes" / "c-hashing"


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_BATCH", 64)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def visible(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))


def test_ct_embeds_translations_and_leaves_out_verses_without_one(folder: Path) -> None:
    verses = [Verse("白日依山尽。", "太阳落山"), Verse("黄河入海流。"), Verse("欲穷。", "想看")]
    build_index(verses, folder, HashingEmbedder(), corpus="ct")
    index = VerseIndex.open(folder, "f1")
    assert [v.text for v in index.verses(range(len(index)))] == ["白日依山尽。", "欲穷。"]
    meaning = HashingEmbedder().encode(["太阳落山"], kind="passage")
    assert index.cosines(meaning, [0]) == pytest.approx(1)


def test_c_embeds_the_text(folder: Path) -> None:
    build_index(VERSES[:2], folder, HashingEmbedder(), corpus="c")
    text = HashingEmbedder().encode([VERSES[1].text], kind="passage")
    assert VerseIndex.open(folder).cosines(text, [1]) == pytest.approx(1)


def test_ct_draws_a_verse_to_its_occasions(folder: Path) -> None:
    verses = [replace(VERSES[0], occasions="加班到深夜；末班地铁"), VERSES[1]]
    build_index(verses, folder, HashingEmbedder(), corpus="ct")
    index = VerseIndex.open(folder)
    asked = [VERSES[0].translation, "加班到深夜", "末班地铁", VERSES[1].translation]
    queries = HashingEmbedder().encode(asked, kind="query")
    near, bare = index.cosines(queries, [0, 1]), queries @ queries[0]
    assert near[0, 0] > 0.8
    assert near[1, 0] > bare[1] + 0.1 and near[2, 0] > bare[2] + 0.1
    assert near[3, 1] == pytest.approx(1)
    assert index.verse(0).phrases == ["加班到深夜", "末班地铁"]


def test_c_leaves_occasions_aside(folder: Path) -> None:
    build_index([replace(VERSES[0], occasions="加班到深夜")], folder, HashingEmbedder(), corpus="c")
    text = HashingEmbedder().encode([VERSES[0].text], kind="passage")
    assert VerseIndex.open(folder).cosines(text, [0]) == pytest.approx(1)


def test_a_corpus_file_is_indexed_with_progress(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "c_data.jsonl"
    fields = (
        "translation",
        "title",
        "author",
        "dynasty",
        "kind",
        "work_id",
        "line_no",
        "traditional",
    )
    path.write_bytes(
        b"".join(dump_row(v.text, *(getattr(v, f) for f in fields)) for v in VERSES[:130])
    )
    seen: list[tuple[int, int]] = []
    report = build_index(
        path, folder, HashingEmbedder(), corpus="c", progress=lambda *at: seen.append(at)
    )
    assert seen == [(64, 130), (128, 130), (130, 130)]
    assert report.status == "built"
    assert ("recall@10 against Flat", "1 (exact)") in report.rows()
    assert VerseIndex.open(folder).verse(129) == VERSES[129]


def test_the_same_index_is_not_built_again_unless_forced(folder: Path) -> None:
    embedder = HashingEmbedder()
    build_index(VERSES, folder, embedder, corpus="c")
    calls = embedder.calls
    assert build_index(VERSES, folder, embedder, corpus="c").status == "exists"
    assert embedder.calls == calls
    assert build_index(VERSES, folder, embedder, corpus="c", force=True).status == "built"
    assert embedder.calls == 2 * calls
    assert visible(folder.parent) == [folder.name]
    assert sorted(contents(folder)) == PARTS


def test_other_verses_or_another_embedder_replace_it(folder: Path) -> None:
    build_index(VERSES, folder, HashingEmbedder(), corpus="c")
    assert build_index(VERSES[1:], folder, HashingEmbedder(), corpus="c").status == "built"
    assert build_index(VERSES[1:], folder, HashingEmbedder("f2"), corpus="c").status == "built"
    assert Manifest.read(folder).fingerprint == "f2"


def test_an_interrupted_build_goes_on_and_ends_the_same(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build_index(VERSES, folder, HashingEmbedder(fail_after=7), corpus="c")
    assert not folder.exists()
    embedder = HashingEmbedder()
    report = build_index(VERSES, folder, embedder, corpus="c")
    assert report.resumed == 7 * 64
    assert embedder.calls == len(VERSES) // 64 - 7
    build_index(VERSES, tmp_path / "whole", HashingEmbedder(), corpus="c")
    assert contents(folder) == contents(tmp_path / "whole")


def test_vectors_of_another_embedder_or_corpus_are_not_gone_on_with(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build_index(VERSES, folder, HashingEmbedder(fail_after=7), corpus="c")
    assert build_index(VERSES, folder, HashingEmbedder("f2"), corpus="c").resumed == 0
    with pytest.raises(KeyboardInterrupt):
        build_index(VERSES[9:], folder, HashingEmbedder(fail_after=7), corpus="c")
    assert build_index(VERSES[8:], folder, HashingEmbedder(), corpus="c").resumed == 0


def test_an_index_of_vectors_made_otherwise_is_built_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(VERSES, folder, HashingEmbedder(), corpus="c")
    monkeypatch.setattr("img2poem.index.build.ENCODING", 99)
    with pytest.raises(KeyboardInterrupt):
        build_index(VERSES, folder, HashingEmbedder(fail_after=7), corpus="c")
    monkeypatch.setattr("img2poem.index.build.ENCODING", 100)
    report = build_index(VERSES, folder, HashingEmbedder(), corpus="c")
    assert (report.status, report.resumed) == ("built", 0)


CHILD = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from hashing_embedder import HashingEmbedder
from test_index_build import VERSES
from img2poem.index import build as building
building._BATCH = 64
print("begun", flush=True)
building.build_index(VERSES, Path(sys.argv[1]), HashingEmbedder(slow=0.02), corpus="c")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_build_killed_at_any_time_resumes_to_the_same_index(folder: Path, tmp_path: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])
    }
    for delay in (0.05, 0.2, 0.35):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder)], env=environment, stdout=subprocess.PIPE
        )
        assert child.stdout and child.stdout.readline() == b"begun\n"
        time.sleep(delay)
        child.kill()
        child.communicate()
    for raw in folder.parent.glob(".*/vectors-*.raw"):
        with raw.open("ab") as file:
            file.write(b"torn")  # as of a row half-written when the process died
    build_index(VERSES, folder, HashingEmbedder(), corpus="c")
    build_index(VERSES, tmp_path / "whole", HashingEmbedder(), corpus="c")
    assert contents(folder) == contents(tmp_path / "whole")
    assert visible(folder.parent) == [folder.name]


def test_of_two_builds_at_once_the_second_waits_and_finds_it_there(folder: Path) -> None:
    told: list[str] = []

    def build(_: int) -> str:
        embedder = HashingEmbedder(slow=0.01)
        return build_index(VERSES, folder, embedder, corpus="c", notice=told.append).status

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(build, range(2))) == ["built", "exists"]
    assert told == [f"another img2poem is building {folder}; waiting until it is done."]
    build(0)
    assert len(told) == 1


def test_a_build_stopped_between_its_two_renames_loses_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(VERSES[:100], folder, HashingEmbedder(), corpus="c")
    before = contents(folder)
    rename = Path.rename

    def stop(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stop)
    with pytest.raises(KeyboardInterrupt):
        build_index(VERSES[:100], folder, HashingEmbedder(), corpus="c", force=True)
    monkeypatch.undo()
    assert build_index(VERSES[:100], folder, HashingEmbedder(), corpus="c").status == "exists"
    assert contents(folder) == before


def test_a_full_disk_is_said_so_and_the_vectors_are_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(building, "_write_faiss", full)
    with pytest.raises(UserError, match="is full"):
        build_index(VERSES, folder, HashingEmbedder(), corpus="c")
    assert not folder.exists()
    monkeypatch.undo()
    embedder = HashingEmbedder()
    assert build_index(VERSES, folder, embedder, corpus="c").resumed == len(VERSES)
    assert embedder.calls == 0


@pytest.mark.parametrize("corpus", ["ct", "c"])
def test_a_corpus_with_nothing_to_embed_is_an_error(folder: Path, corpus: str) -> None:
    verses = [Verse("黄河入海流。")] if corpus == "ct" else []
    with pytest.raises(UserError, match="no verse"):
        build_index(verses, folder, HashingEmbedder(), corpus=corpus)
    assert visible(folder.parent) == []


def test_a_folder_that_is_no_index_is_never_replaced(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "thesis.docx").write_text("years of work")
    with pytest.raises(UserError, match="is not an index"):
        build_index(VERSES[:9], folder, HashingEmbedder(), corpus="c", force=True)
    assert (folder / "thesis.docx").exists()


def test_a_damaged_corpus_file_is_an_error_and_the_old_index_stays(
    tmp_path: Path, folder: Path
) -> None:
    build_index(VERSES[:9], folder, HashingEmbedder(), corpus="c")
    before = contents(folder)
    path = tmp_path / "c_data.jsonl"
    path.write_text('{"content": "春江"}\n{"content": "潮')
    for source in (path, tmp_path / "missing.jsonl"):
        with pytest.raises(UserError, match=r"line 2|cannot be read"):
            build_index(source, folder, HashingEmbedder(), corpus="c", force=True)
    assert contents(folder) == before


def test_a_damaged_index_can_be_rebuilt(folder: Path) -> None:
    build_index(VERSES[:9], folder, HashingEmbedder(), corpus="c")
    (folder / "manifest.json").write_text("{")
    assert build_index(VERSES[:9], folder, HashingEmbedder(), corpus="c").status == "built"
    assert len(VerseIndex.open(folder)) == 9


def test_many_verses_are_compressed_and_the_recall_is_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantise, "FLAT_LIMIT", 1000)
    report = build_index(VERSES, folder, HashingEmbedder(), corpus="c")
    manifest = report.manifest
    assert manifest.nprobe and "IVF" in manifest.factory
    assert 0.5 < manifest.recall_at_10 <= 1
    assert ("recall@10 against Flat", f"{manifest.recall_at_10:.4f}") in report.rows()
