"""Settings for every test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import img2poem

# Timing says nothing on a busy machine; the number of examples is what counts.
settings.register_profile("img2poem", deadline=None, max_examples=60)
settings.load_profile("img2poem")


def pytest_configure(config: pytest.Config) -> None:
    """No test, and nothing it imports, sees the settings, data, models or keys of its user.

    Set here and not by a fixture, because libraries read it when a test's module imports them.
    """
    home = tempfile.TemporaryDirectory(prefix="img2poem-tests-")
    config.add_cleanup(home.cleanup)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    for name in list(os.environ):
        if name.startswith(("IMG2POEM_", "OPENAI_", "HF_")):
            patch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "HF_HOME"):
        patch.setenv(name, str(Path(home.name) / name.lower()))
    # What a test starts runs the same code as the test, wherever it starts.
    patch.setenv("PYTHONPATH", str(Path(img2poem.__file__).parents[1]), prepend=os.pathsep)


@pytest.fixture(scope="session", autouse=True)
def _elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the settings file or the data folder of where it is run, or writes there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        yield


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
