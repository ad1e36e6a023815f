"""The hub's models at work: the command line, from a photo to a verse."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hub_models import Tiny, few_tokens

import img2poem
from img2poem.cli import main
from img2poem.errors import UserError
from img2poem.models.hub.download import choose_files, pull

pytest.importorskip("FlagEmbedding")

_few_tokens = pytest.fixture(autouse=True)(few_tokens)

VERSES = [
    ("床前明月光，疑是地上霜。", "月光照在床前的地上，好像一层霜。", "李白"),
    ("孤舟蓑笠翁，独钓寒江雪。", "老人在雪里钓鱼。", "柳宗元"),
    ("人闲桂花落，夜静春山空。", "夜里山中很静，花落下来。", "王维"),
    ("山中一夜雨，树杪百重泉。", "山里下了一夜的雨。", "王维"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [{"content": c, "translation": t, "author": a} for c, t, a in VERSES]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "ct_data.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


def run(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The real command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from img2poem.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", "COLUMNS": "200", **(env or {})},
        timeout=120,
    )


def test_the_original_profile_runs_from_photo_to_verse(
    tiny: Tiny,
    data: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def here(*arguments: str) -> tuple[str, str]:
        # In this process: another would spend half a minute importing the same libraries.
        monkeypatch.setattr(sys, "argv", ["img2poem", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert not ended.value.code, printed.err
        return printed.out, printed.err

    photo = next(photos.glob("*.jpg"))
    monkeypatch.setenv("IMG2POEM_TRANSLATOR", f"hf:{tiny('marian')}")
    models = ["--embedder", f"hf:{tiny('bert_embedder')}", "--data", str(data), "--device", "cpu"]
    here("build-index", "--corpus", "ct", *models)
    seats = ["--captioner", f"hf:{tiny('blip')}", "--reranker", f"flag:{tiny('cross_encoder')}"]
    out, err = here("query", str(photo), "--profile", "original", "--json", *seats, *models)
    answer = json.loads(out)
    description = answer["description"]
    assert description["model"] == f"hf:{tiny('blip')}"
    # Random models say nothing sensible, but what they say went through the translation.
    assert any("一" <= c <= "龥" for c in description["text"])
    assert {match["verse"] for match in answer["matches"]} == {text for text, _, _ in VERSES}
    assert all(0 <= match["score"] <= 1 for match in answer["matches"])
    assert answer["models"] == {
        "captioner": f"hf:{tiny('blip')}",
        "embedder": f"hf:{tiny('bert_embedder')}",
        "reranker": f"flag:{tiny('cross_encoder')}",
    }
    assert "it/s" not in err, "a library's own progress bar"


def test_a_profile_that_was_not_pulled_says_so_at_once(photos: Path, tmp_path: Path) -> None:
    photo = next(photos.glob("*.jpg"))
    asked = run(
        "query", str(photo), "--profile", "original", env={"HF_HUB_CACHE": str(tmp_path / "none")}
    )
    assert asked.returncode == 1
    assert "img2poem models pull" in asked.stderr
    assert asked.stdout == ""


def by_sight(tiny: Tiny, data: Path, **settings: Any) -> Any:
    embedder = f"clip:{tiny('chinese_clip')}"
    made = img2poem.load(
        embedder=embedder, data=str(data), corpus="ct", device="cpu", k=4, **settings
    )
    made.build_indexes()
    return made


def test_clip_searches_with_the_photo_itself_and_asks_for_no_caption(
    tiny: Tiny, data: Path, photos: Path
) -> None:
    made = by_sight(tiny, data, captioner="hf:/nowhere/at/all")
    photo = next(photos.glob("*.jpg"))
    result = made.query(photo)
    assert result.description is None
    vector = made.embedder.encode_photos([made.open_photo(photo)])
    cosines = made.indexes["ct"].cosines(vector, np.arange(4))[0]
    best = made.indexes["ct"].verse(int(cosines.argmax()))
    assert result.matches[0].verse == best
    assert result.matches[0].score == pytest.approx(max(0.0, float(cosines.max())), abs=1e-3)
    assert set(result.models) == {"embedder"}


def test_clip_weighs_words_against_the_photo(tiny: Tiny, data: Path, photos: Path) -> None:
    made = by_sight(tiny, data)
    photo = next(photos.glob("*.jpg"))
    result = made.query(photo, text="雪里钓鱼")
    looked = made.embedder.encode_photos([made.open_photo(photo)])[0]
    said = made.embedder.encode(["雪里钓鱼"], kind="query")[0]
    mixed = 0.7 * looked + 0.3 * said
    mixed /= np.linalg.norm(mixed)
    cosines = made.indexes["ct"].cosines(mixed[None], np.arange(4))[0]
    assert result.matches[0].verse == made.indexes["ct"].verse(int(cosines.argmax()))


def test_clip_gives_a_folder_its_verses(
    tiny: Tiny, data: Path, photos: Path, tmp_path: Path
) -> None:
    from img2poem.pipeline.batch import run_batch

    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in sorted(photos.glob("*.jpg"))[:3]:
        (folder / photo.name).write_bytes(photo.read_bytes())
    outcome = run_batch(by_sight(tiny, data), folder, tmp_path / "out.csv")
    assert (outcome.written, outcome.failed) == (3, 0)


def test_a_fine_tuned_embedder_refuses_the_index_of_another(tiny: Tiny, data: Path) -> None:
    import shutil

    folder = shutil.copytree(tiny("bert_embedder"), data / "tuned")
    name = f"hf:{folder}"
    img2poem.load(embedder=name, data=str(data), corpus="ct").build_indexes()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(UserError, match="was built with the embedder"):
        img2poem.load(embedder=name, data=str(data), corpus="ct").query(text="月光")


def test_models_are_listed_with_size_licence_and_place(tiny: Tiny, tmp_path: Path) -> None:
    import shutil

    cache = tmp_path / "hub"
    root = cache / "models--BAAI--bge-reranker-base"
    snapshot = shutil.copytree(tiny("cross_encoder"), root / "snapshots" / ("0" * 40))
    (snapshot / "README.md").write_text("---\nlicense: mit\n---\n")
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("0" * 40)
    listed = run("models", env={"HF_HUB_CACHE": str(cache)})
    assert listed.returncode == 0, listed.stderr
    lines = {tuple(line.split())[:2]: line for line in listed.stdout.splitlines() if line.strip()}
    assert "built in" in lines["captioner", "builtin"]
    reranker = lines["reranker", "flag:BAAI/bge-reranker-base"]
    assert "MIT" in reranker
    assert "cached" in reranker
    assert "not here" in lines["embedder", "hf:BAAI/bge-base-zh-v1.5"]
    assert "0.41 GB" in lines["embedder", "hf:BAAI/bge-base-zh-v1.5"]


def test_pull_takes_what_torch_needs_and_nothing_twice() -> None:
    files = [
        *("README.md", "config.json", "tokenizer.json", "vocab.txt", "modules.json"),
        *("1_Pooling/config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5"),
        *("onnx/model.onnx", "onnx/config.json", "flax_model.msgpack", "imgs/photo.png"),
        *("colbert_linear.pt", "clip_cn_vit-b-16.pt"),
    ]
    chosen = choose_files(files)
    assert "model.safetensors" in chosen
    assert "1_Pooling/config.json" in chosen
    assert "colbert_linear.pt" in chosen
    assert not {
        f for f in chosen if f.startswith(("onnx", "tf", "flax", "imgs", "pytorch", "clip"))
    }
    assert "pytorch_model.bin" in choose_files(["config.json", "pytorch_model.bin"])
    assert choose_files(["config.json", "model.onnx"]) == []


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's protocol as a download takes, for one model in a folder."""

    folder: Path
    revision = "0123456789abcdef0123456789abcdef01234567"
    fetched: list[str]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/someone/reads"):
            files = [p for p in self.folder.iterdir() if p.is_file()]
            siblings = [{"rfilename": p.name, "size": p.stat().st_size} for p in files]
            info = {"id": "someone/reads", "sha": self.revision, "siblings": siblings}
            tree = [
                {"type": "file", "path": p.name, "size": p.stat().st_size, "oid": "1" * 40}
                for p in files
            ]
            card = {"cardData": {"license": "mit"}}
            self.answer(json.dumps(tree if "/tree/" in path else info | card).encode())
        elif "/resolve/" in path and (file := self.folder / path.rsplit("/", 1)[1]).is_file():
            if self.command == "GET":
                self.fetched.append(file.name)
            self.answer(file.read_bytes(), file.name)
        else:
            self.send_error(404)

    do_HEAD = do_GET

    def answer(self, content: bytes, name: str = "") -> None:
        self.send_response(200)
        self.send_header("content-type", "application/octet-stream" if name else "application/json")
        self.send_header("content-length", str(len(content)))
        if name:
            self.send_header("etag", f'"{hashlib.sha256(name.encode()).hexdigest()[:40]}"')
            self.send_header("x-repo-commit", self.revision)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def test_pull_downloads_once_and_the_model_is_cached_from_then_on(
    tiny: Tiny, tmp_path: Path
) -> None:
    handler = type("ThisHub", (Hub,), {"folder": tiny("cross_encoder"), "fetched": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    env = {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
    }
    pulled = run("models", "pull", "hf:someone/reads", env=env)
    assert pulled.returncode == 0, pulled.stderr
    assert "licence mit" in pulled.stderr
    assert pulled.stdout == ""
    assert "model.safetensors" in handler.fetched
    missing = run("models", "pull", "hf:someone/else", env=env)
    assert missing.returncode == 1
    assert "Traceback" not in missing.stderr
    server.shutdown()
    listed = run("models", env=env)
    assert any("someone/reads" in line and "cached" in line for line in listed.stdout.splitlines())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("builtin", "ships with img2poem"),
        ("openai:gpt", "runs at its endpoint"),
        ("hf:./folder", "local folder"),
        ("hf:no/such/thing", "neither a folder"),
        ("hf:", "name is missing"),
        ("", "name is missing"),
        (" ", "name is missing"),
    ],
)
def test_what_cannot_be_pulled_is_told(name: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        pull(name, lambda _: None)


def test_pulling_offline_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(UserError, match="cannot be reached"):
        pull("hf:BAAI/bge-base-zh-v1.5", lambda _: None)
