"""The hub's models: found, loaded, and turned away where they do not fit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hub_models import Tiny, load, no_network

from img2poem.corpus.verse import Verse
from img2poem.errors import UserError

pytest.importorskip("FlagEmbedding")

_no_network = pytest.fixture(autouse=True)(no_network)

MOON = Verse("床前明月光，疑是地上霜。", "月光照在床前的地上，好像一层霜。")


@pytest.mark.parametrize(
    ("seat", "scheme", "model", "says"),
    [
        ("captioner", "hf", "chat_model", "reads text only"),
        ("captioner", "hf", "bert_embedder", "cannot be loaded"),
        ("reranker", "hf", "bert_embedder", "no cross-encoder"),
        ("reranker", "flag", "blip", "no cross-encoder"),
        ("embedder", "clip", "cross_encoder", "does not put photos and texts"),
        ("embedder", "clip", "blip", "weights lack"),
        ("generator", "hf", "bert_embedder", "no chat model"),
    ],
)
def test_a_model_in_the_wrong_seat_is_turned_away(
    tiny: Tiny, seat: str, scheme: str, model: str, says: str
) -> None:
    with pytest.raises(UserError, match=says):
        load(seat, f"{scheme}:{tiny(model)}", translator=f"hf:{tiny('marian')}")


def test_a_damaged_folder_is_one_clear_error(tiny: Tiny, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny("bert_embedder"), tmp_path / "copy")
    (copy / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(UserError, match="cannot be loaded"):
        load("embedder", f"hf:{copy}")
    (copy / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no complete model"):
        load("embedder", f"hf:{copy}")


@pytest.mark.parametrize("seat", ["captioner", "embedder", "reranker", "generator"])
def test_a_model_that_is_not_here_says_how_to_get_it_at_once(
    seat: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError) as caught:
        load(seat, "hf:nobody/has-this")
    assert "img2poem models pull nobody/has-this" in caught.value.hint


def test_a_cached_model_is_found_by_its_name(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    root = tmp_path / "models--someone--reads"
    revision = "0" * 40
    shutil.copytree(tiny("cross_encoder"), root / "snapshots" / revision)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(revision)
    assert load("reranker", "hf:someone/reads").score("月", [MOON]).shape == (1,)
    (root / "snapshots" / revision / "model.safetensors").unlink()
    with pytest.raises(UserError, match="not on this machine"):
        load("reranker", "hf:someone/reads")


def test_a_path_that_does_not_exist_is_not_looked_for_on_the_hub() -> None:
    for path in ("./nowhere", "/no/such/folder", "a/b/c"):
        with pytest.raises(UserError, match="no folder"):
            load("embedder", f"hf:{path}")


def test_a_device_that_is_not_there_is_named() -> None:
    import torch

    from img2poem.models.hub.loading import choose_device

    if torch.cuda.is_available():
        assert choose_device("auto") == "cuda"
        return
    with pytest.raises(UserError, match="no cuda"):
        choose_device("cuda")
    assert choose_device("auto") in {"cpu", "mps"}


def test_batches_shrink_when_memory_runs_out_and_lose_nothing() -> None:
    from img2poem.models.hub.loading import in_batches

    tried: list[int] = []

    def run(batch: Any) -> list[int]:
        tried.append(len(batch))
        if len(batch) > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return [item * 10 for item in batch]

    assert in_batches(list(range(20)), 16, run) == [n * 10 for n in range(20)]
    assert tried[:4] == [16, 8, 4, 2]

    def never(batch: Any) -> list[int]:
        raise RuntimeError("out of memory")

    with pytest.raises(UserError, match="not enough memory"):
        in_batches([1, 2], 2, never)
