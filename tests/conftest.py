"""Settings for every test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Timing says nothing on a busy machine; the number of examples is what counts.
settings.register_profile("img2poem", deadline=None, max_examples=60)
settings.load_profile("img2poem")


@pytest.fixture(scope="session")
def _data_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data-home")


@pytest.fixture(autouse=True)
def _nothing_of_the_users_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, _data_home: Path
) -> None:
    """No test sees the settings, data or keys of whoever runs it."""
    import os

    for name in [n for n in os.environ if n.startswith("IMG2POEM_") or n == "OPENAI_API_KEY"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    monkeypatch.setenv("XDG_DATA_HOME", str(_data_home))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a tiny random model of an architecture, each once; see ``tiny_models``."""
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        import tiny_models
        import torch

        if name not in made:
            torch.manual_seed(7)
            made[name] = getattr(tiny_models, name)(tmp_path_factory.mktemp(name))
        return made[name]

    return make


@pytest.fixture
def photos() -> Path:
    """The sample photos that come with the project."""
    return Path(__file__).parents[1] / "data" / "photos"


# Poets enough for filters, and the poem every example asks for.
_SMALL_CORPUS = 260


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with some of the shipped works, prepared and indexed by the real models."""
    import orjson

    import img2poem
    from img2poem.corpus.prepare import prepare
    from img2poem.datadir import DataDir, starter_works

    works = orjson.loads(starter_works().read_bytes())
    step = len(works) // _SMALL_CORPUS
    chosen = works[::step] + [w for w in works if w["Title"] == "江雪"]
    chosen += [w for w in works if w["Author"] == "王维"][:10]
    unique = {work["Id"]: work for work in chosen}
    folder = tmp_path_factory.mktemp("small")
    (folder / "works.json").write_bytes(orjson.dumps(list(unique.values())))
    DataDir(folder).mark()
    prepare(folder / "works.json", folder)
    img2poem.load(data=str(folder), corpus="ct,select_c,c").build_indexes()
    return folder
