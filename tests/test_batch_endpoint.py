"""``batch`` with a captioner behind an endpoint."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import run
from loopback import Answer, Server, failed, said, serving

pytest.importorskip("openai")


server = pytest.fixture(serving)


@pytest.fixture
def folder(tmp_path: Path, photos: Path) -> Path:
    target = tmp_path / "album"
    target.mkdir()
    for name in ("cat", "snow-peaks", "stars"):
        shutil.copy(photos / f"{name}.jpg", target)
    return target


def describing(server: Server, refusal: Answer) -> list[str]:
    """Have the server refuse one photo, whenever it comes; the photos it described."""
    pictures: list[str] = []

    def answer(handler: Any) -> Answer:
        picture = server.asked[-1][2]["messages"][0]["content"][1]["image_url"]["url"]
        if not pictures or picture == pictures[0]:
            pictures[:1] = [picture]
            return refusal
        pictures.append(picture)
        return said("雪山在蓝天下。")

    server.answers = [answer]
    return pictures


def annotate(server: Server, folder: Path, small: Path, target: Path) -> Any:
    models = ("--captioner", "openai:small", "--api-base", server.base)
    return run("batch", folder, "-o", target, "--data", small, *models)


def test_a_photo_that_an_endpoint_refuses_is_a_row_with_its_error(
    server: Server, folder: Path, small: Path, tmp_path: Path
) -> None:
    describing(server, failed(400, "against our rules"))
    result = annotate(server, folder, small, tmp_path / "poems.csv")
    assert result.code == 3, result.err
    with (tmp_path / "poems.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3
    assert sum("against our rules" in row["error"] for row in rows) == 1
    assert sum(bool(row["verse"]) for row in rows) == 2


def test_an_endpoint_that_knows_no_such_key_ends_the_run(
    server: Server, folder: Path, small: Path, tmp_path: Path
) -> None:
    server.answers = [failed(401, "who are you")]
    result = annotate(server, folder, small, tmp_path / "poems.csv")
    assert result.code == 1
    assert (tmp_path / "poems.csv").read_text(encoding="utf-8").count("\n") == 1  # the header
