"""Opening and searching an index."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hashing_embedder import HashingEmbedder

from img2poem.corpus.verse import Verse
from img2poem.errors import UserError
from img2poem.index import quantise
from img2poem.index.build import build_index
from img2poem.index.store import Filter, VerseIndex

POETS = [("李白", "唐", "诗"), ("苏轼", "宋", "词"), ("马致远", "元", "曲"), ("杜甫", "唐", "诗")]
CHARACTERS = (
    "春江潮水连海平上明月共生滟随波千万里何处无宛转绕芳甸照花林皆似霰空流霜不觉飞汀白沙看见"
)


def some_verses(count: int) -> list[Verse]:
    random = np.random.default_rng(3)
    rows = []
    for number in range(count):
        text = "".join(random.choice(list(CHARACTERS), 7)) + "。"
        author, dynasty, kind = POETS[3 if number % 500 == 0 else number % 3]
        rows.append(
            Verse(text, author=author, dynasty=dynasty, kind=kind, work_id=number, line_no=1)
        )
    return rows


@pytest.fixture(scope="module", params=["exact", "compressed"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store") / "c-hashing"
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "compressed":
            patch.setattr(quantise, "FLAT_LIMIT", 1000)
        build_index(some_verses(6000), folder, HashingEmbedder(), corpus="c")
    return folder


@pytest.fixture
def index(built: Path) -> VerseIndex:
    return VerseIndex.open(built, "f1", "hashing")


def queries(index: VerseIndex, *places: int) -> np.ndarray:
    return HashingEmbedder().encode([index.verse(place).text for place in places], kind="query")


def test_a_verse_finds_itself_first(index: VerseIndex) -> None:
    scores, ids = index.search(queries(index, 17, 4242), 5)
    assert ids[:, 0].tolist() == [17, 4242]
    assert scores.shape == ids.shape == (2, 5)
    assert scores[:, 0] == pytest.approx([1, 1], abs=0.01)
    assert (np.diff(scores) <= 0).all()


def test_cosines_are_those_of_the_encoded_vectors(index: VerseIndex) -> None:
    words = queries(index, 5, 3, 80, 4)
    cosines = index.cosines(words[:2], [3, 80, 5, 4])
    assert cosines == pytest.approx(words[:2] @ words[[1, 2, 0, 3]].T, abs=0.02)
    assert index.cosines(words, []).shape == (4, 0)


@pytest.mark.parametrize(
    "where",
    [Filter(author="杜甫"), Filter(dynasty="宋"), Filter(kind="曲"), Filter("李白", "唐", "诗")],
)
def test_a_filter_leaves_k_verses_all_of_which_have_it(index: VerseIndex, where: Filter) -> None:
    _, ids = index.search(queries(index, 1, 2), 10, where=where)
    assert len(set(ids[0].tolist())) == 10
    for verse in index.verses(ids.ravel()):
        assert (where.author or verse.author) == verse.author
        assert (where.dynasty or verse.dynasty) == verse.dynasty
        assert (where.kind or verse.kind) == verse.kind


def test_a_filtered_search_finds_the_best_of_the_filtered(index: VerseIndex) -> None:
    query = queries(index, 1)
    scores, _ = index.search(query, 3, where=Filter(author="杜甫"))
    own = [place for place in range(len(index)) if index.verse(place).author == "杜甫"]
    best = np.sort(index.cosines(query, own)[0])[::-1][:3]
    assert scores[0] == pytest.approx(best, abs=1e-3)


def test_too_few_verses_leave_places_empty(index: VerseIndex) -> None:
    _, ids = index.search(queries(index, 1), 20, where=Filter(author="杜甫", dynasty="唐"))
    assert (ids[0, :12] >= 0).all()
    assert (ids[0, 12:] == -1).all()
    _, none = index.search(queries(index, 1), 4, where=Filter(author="杜甫", kind="曲"))
    assert none.tolist() == [[-1] * 4]


def test_the_names_in_it_are_listed(index: VerseIndex) -> None:
    assert set(index.authors()) == {"李白", "苏轼", "马致远", "杜甫"}
    assert set(index.dynasties()) == {"唐", "宋", "元"}
    assert set(index.kinds()) == {"诗", "词", "曲"}
    assert len(index) == 6000


def test_vectors_of_another_size_are_refused(index: VerseIndex) -> None:
    with pytest.raises(ValueError, match="must be"):
        index.search(np.zeros((1, 31), dtype=np.float32), 3)


def test_an_index_of_another_embedder_is_refused_with_the_command(built: Path) -> None:
    with pytest.raises(UserError) as error:
        VerseIndex.open(built, "f2", "builtin")
    assert "hashing" in error.value.problem
    assert "img2poem build-index --corpus c --data" in error.value.hint
    assert error.value.hint.endswith("--force")


def test_no_index_is_an_error_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="img2poem build-index"):
        VerseIndex.open(tmp_path / "nothing")


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    copy = tmp_path / built.name
    copy.mkdir()
    for file in built.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


@pytest.mark.parametrize("name", ["vectors.faiss", "verses.bin", "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "short", "empty", "flipped", "noise"])
def test_a_damaged_file_is_refused_with_the_command(copied: Path, name: str, damage: str) -> None:
    path = copied / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :]
        noise = np.random.default_rng(0).bytes(len(data))
        path.write_bytes(
            {"short": data[:-9], "empty": b"", "flipped": flipped, "noise": noise}[damage]
        )
    try:
        VerseIndex.open(copied, "f1")
    except UserError as error:
        assert "img2poem build-index --corpus" in error.hint
    else:
        # A flipped bit in the manifest may hit a space or a number nobody checks.
        assert (name, damage) == ("manifest.json", "flipped")


@pytest.mark.parametrize("key", ["bytes", "sha256", "quick_sha256"])
def test_a_manifest_that_lacks_a_checksum_is_refused(copied: Path, key: str) -> None:
    manifest = json.loads((copied / "manifest.json").read_text())
    del manifest["files"]["verses.bin"][key]
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="is not complete"):
        VerseIndex.open(copied)


def test_the_command_names_the_embedder_and_quotes_the_folder(copied: Path) -> None:
    home = copied.parent / "my poems" / "indexes"
    home.mkdir(parents=True)
    moved = copied.rename(home / copied.name)
    (moved / "verses.bin").unlink()
    with pytest.raises(UserError) as error:
        VerseIndex.open(moved)
    assert "my poems' --embedder hashing --force" in error.value.hint


def test_another_format_is_refused(copied: Path) -> None:
    manifest = json.loads((copied / "manifest.json").read_text())
    (copied / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(UserError, match="format 99"):
        VerseIndex.open(copied)


def test_verify_reads_what_opening_skips(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("img2poem.index.manifest._HEAD", 64)
    monkeypatch.setattr("img2poem.index.manifest._TAIL", 64)
    index_file = copied / "vectors.faiss"
    manifest = json.loads((copied / "manifest.json").read_text())
    from img2poem.index.manifest import quick_sha256

    for name, entry in manifest["files"].items():
        entry["quick_sha256"] = quick_sha256(copied / name)
    (copied / "manifest.json").write_text(json.dumps(manifest))
    VerseIndex.open(copied).verify()
    data = bytearray(index_file.read_bytes())
    data[len(data) // 2] ^= 1
    index_file.write_bytes(data)
    opened = VerseIndex.open(copied)
    with pytest.raises(UserError, match="is damaged"):
        opened.verify()


@pytest.mark.parametrize("nprobe", [5, -1, "x", None, True])
def test_a_manifest_of_another_kind_of_index_is_refused(copied: Path, nprobe: object) -> None:
    values = json.loads((copied / "manifest.json").read_text())
    values["nprobe"] = 0 if values["nprobe"] and nprobe == 5 else nprobe
    (copied / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match="is damaged"):
        VerseIndex.open(copied)
