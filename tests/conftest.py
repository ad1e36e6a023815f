"""Settings for every test."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# Timing says nothing on a busy machine; the number of examples is what counts.
settings.register_profile("img2poem", deadline=None, max_examples=60)
settings.load_profile("img2poem")


@pytest.fixture(autouse=True)
def _nothing_of_the_users_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test sees the settings, data or environment of whoever runs it."""
    import os

    for name in [n for n in os.environ if n.startswith("IMG2POEM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


@pytest.fixture
def photos() -> Path:
    """The sample photos that come with the project."""
    return Path(__file__).parents[1] / "data" / "photos"
