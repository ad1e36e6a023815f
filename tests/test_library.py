"""Which index is opened, and what is said where it does not fit what it was built from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hashing_embedder import HashingEmbedder

from img2poem import datadir
from img2poem.corpus import FILES
from img2poem.corpus.prepare import prepare
from img2poem.pipeline import library


class Listening(library.Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def notice(self, message: str) -> None:
        self.heard.append(message)


@pytest.fixture
def works(tmp_path: Path) -> Path:
    path = tmp_path / "works.json"
    poem = {"Id": 1, "Title": "静夜思", "Dynasty": "唐", "Author": "李白", "Kind": "诗"}
    poem |= {"Content": "床前明月光，疑是地上霜。", "Translation": "床前洒满月光，好像地上的霜。"}
    path.write_text(json.dumps([poem], ensure_ascii=False), encoding="utf-8")
    return path


@pytest.mark.parametrize("corpus", ["ct", "c"])
def test_damaged_files_of_the_shipped_corpus_are_made_again(
    corpus: str, works: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for module in (library, datadir):
        monkeypatch.setattr(module, "starter_works", lambda: works)
    prepare(works, datadir.starter_datadir().root)
    for name in FILES.values():
        (datadir.starter_datadir().root / name).write_text("no JSON at all\n")
    reporter = Listening()
    index = library.open_index(corpus, HashingEmbedder(), reporter=reporter)
    assert index.verse(0).author == "李白"
    assert any("this once" in message for message in reporter.heard)


def test_an_index_older_than_its_corpus_is_told_of_until_it_is_compared(
    works: Path, tmp_path: Path
) -> None:
    data = str(tmp_path / "data")
    prepare(works, Path(data))
    embedder, reporter = HashingEmbedder(), Listening()
    library.build("ct", embedder, data=data, reporter=reporter)
    library.open_index("ct", embedder, data=data, reporter=reporter)
    assert not reporter.heard
    later = library.locate("ct", embedder, data).source
    os.utime(later, (later.stat().st_atime, later.stat().st_mtime + 60))
    library.open_index("ct", embedder, data=data, reporter=reporter)
    assert len(reporter.heard) == 1
    assert "was prepared after its index was built" in reporter.heard[0]
    assert "img2poem build-index --corpus ct --data" in reporter.heard[0]
    os.utime(later, (0, 0))
    assert library.build("ct", embedder, data=data, reporter=reporter).status == "exists"
    library.open_index("ct", embedder, data=data, reporter=reporter)
    assert len(reporter.heard) == 1
