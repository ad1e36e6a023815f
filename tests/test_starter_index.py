"""The index that comes with the package: it is there, whole, and of the corpus that ships."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import run

from img2poem.corpus.jsonl import read_verses
from img2poem.corpus.prepare import prepare
from img2poem.datadir import shipped_index, starter_works
from img2poem.index.encode import encode
from img2poem.index.manifest import VERSES
from img2poem.index.store import VerseIndex
from img2poem.index.verses import VerseTable
from img2poem.models.builtin.text import BuiltinEmbedder


def test_a_first_query_builds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    result = run("query", "雪夜 江上 一叶孤舟 老翁钓鱼", "-k", 1)
    assert result.code == 0, result.err
    assert "独钓寒江雪" in result.out
    assert not (tmp_path / "home").exists()


def test_the_shipped_index_is_whole_and_of_the_shipped_embedder() -> None:
    index = VerseIndex.open(shipped_index("ct"), BuiltinEmbedder().fingerprint)
    index.verify()


def test_the_shipped_index_holds_the_shipped_corpus(tmp_path: Path) -> None:
    prepare(starter_works(), tmp_path)
    index = VerseIndex.open(shipped_index("ct"))
    assert index.verses(range(len(index))) == list(read_verses(tmp_path / "ct_data.jsonl"))
    wanted = encode(VerseTable(shipped_index("ct") / VERSES), range(7, 8), BuiltinEmbedder(), "ct")
    assert index.cosines(wanted, [7])[0, 0] == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize("problem", ["other weights", "damaged", "missing"])
def test_a_shipped_index_that_does_not_serve_is_built_anew(
    problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from img2poem.pipeline import library

    embedder = BuiltinEmbedder()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "shipped"
    if problem == "other weights":
        monkeypatch.setattr(embedder, "fingerprint", "another")
    elif problem == "damaged":
        shutil.copytree(shipped_index("ct"), copy)
        (copy / "vectors.faiss").write_bytes(b"short")
    if problem != "other weights":
        monkeypatch.setattr(library, "shipped_index", lambda corpus: copy)
    built: list[str] = []

    def build(corpus: str, *_: object, **__: object) -> None:
        built.append(corpus)
        raise InterruptedError

    monkeypatch.setattr(library, "build", build)
    with pytest.raises(InterruptedError):
        library.open_index("ct", embedder, reporter=library.Silent())
    assert built == ["ct"]
