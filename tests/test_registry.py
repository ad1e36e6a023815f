"""Names to models: schemes, extras that are missing, and schemes that packages add."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from img2poem.errors import UserError
from img2poem.models import registry
from img2poem.models.base import Embedder
from img2poem.models.catalog import rows
from img2poem.models.registry import ModelOptions
from img2poem.settings import Settings

# What docs/models.md shows, as a package would ship it.
PLUGIN = '''
import numpy as np


class Lengths:
    """Texts of one length are one."""

    dim, fingerprint = 4, "lengths-1"

    def __init__(self, name):
        self.name = name

    def encode(self, texts, *, kind):
        return np.eye(4, dtype=np.float32)[[len(text) % 4 for text in texts]]


def embedder(rest, options):
    return Lengths(f"lengths:{rest}")
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with an entry point, as pip lays it out."""
    (tmp_path / "lengths_plugin.py").write_text(PLUGIN)
    info = tmp_path / "lengths_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lengths-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[img2poem.embedder]\nlengths = lengths_plugin:embedder\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("installed")
def test_a_package_adds_an_embedder_by_an_entry_point() -> None:
    model = registry.load("embedder", "lengths:any")
    assert isinstance(model, Embedder)
    assert model.name == "lengths:any"
    assert model.encode(["月", "明月"], kind="query").shape == (2, 4)


@pytest.mark.usefixtures("installed")
def test_it_builds_and_searches_an_index_like_any_other(tmp_path: Path) -> None:
    import img2poem

    (tmp_path / "ct_data.jsonl").write_text(
        '{"content": "床前明月光", "translation": "月光"}\n'
        '{"content": "独钓寒江雪", "translation": "一人钓鱼"}\n',
        encoding="utf-8",
    )
    made = img2poem.load(
        embedder="lengths:any", data=str(tmp_path), corpus="ct", reranker="builtin"
    )
    assert made.build_indexes()["ct"]
    assert made.indexes["ct"].manifest.fingerprint == "lengths-1"
    made.__dict__["reranker"] = type(
        "Even", (), {"name": "even", "score": lambda self, query, verses: [0.5] * len(verses)}
    )()
    result = made.query(text="四个汉字")
    assert result.matches[0].verse.text == "独钓寒江雪"


@pytest.mark.usefixtures("installed")
def test_it_is_listed_with_the_package_it_came_from() -> None:
    assert ("lengths:", "installed by lengths-plugin") in [
        (row.name, row.state) for row in rows(Settings())
    ]


def test_a_scheme_nobody_knows_lists_those_that_are_known() -> None:
    with pytest.raises(UserError) as caught:
        registry.load("captioner", "nonsense:x")
    assert "builtin, hf, openai" in caught.value.hint


@pytest.mark.parametrize(
    ("seat", "name", "package", "extra"),
    [
        ("embedder", "hf:{folder}", "sentence_transformers", "hub"),
        ("embedder", "flag:{folder}", "FlagEmbedding", "hub"),
        ("embedder", "clip:{folder}", "torch", "hub"),
        ("captioner", "hf:{folder}", "torch", "hub"),
        ("generator", "openai:m", "openai", "api"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(
    seat: registry.Seat,
    name: str,
    package: str,
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One package at a time is missing: the others have to be there.
    for needed in ("sentence_transformers", "FlagEmbedding", "openai"):
        pytest.importorskip(needed)
    (tmp_path / "config.json").write_text('{"hidden_size": 8}')
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError) as caught:
        registry.load(seat, name.format(folder=tmp_path), ModelOptions(api_base="http://x/v1"))
    assert package in caught.value.problem
    assert f"img2poem[{extra}]" in caught.value.hint
    assert caught.value.exit_code == 1


def test_the_shipped_models_name_their_cards_for_a_licence_and_each_card_has_one() -> None:
    shipped = [row for row in rows(Settings()) if row.name == "builtin"]
    assert [row.seat for row in shipped] == ["captioner", "embedder", "reranker"]
    assert {row.licence for row in shipped} == {"see model card"}
    cards = list((Path(registry.__file__).parents[1] / "weights").glob("*/MODEL_CARD.md"))
    assert len(cards) == 2
    assert all("## Licence" in card.read_text(encoding="utf-8") for card in cards)


def test_every_known_model_and_profile_names_a_scheme_that_exists() -> None:
    from img2poem.models.catalog import KNOWN, profile_models
    from img2poem.settings import PROFILES

    for known in KNOWN:
        scheme = known.name.partition(":")[0]
        seat = "captioner" if known.seat == "translator" else known.seat
        assert scheme in registry.schemes(seat)  # type: ignore[arg-type]
    listed = {known.name for known in KNOWN}
    for profile in PROFILES:
        assert set(profile_models(profile)) <= listed
