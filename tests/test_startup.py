"""Starting up is quick: nothing heavy is imported before it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "numpy",
    "faiss",
    "onnxruntime",
    "tokenizers",
    "PIL",
    "torch",
    "transformers",
    "opencc",
    "orjson",
}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["query", "--help"], ["models", "--help"], ["--version"], ["config"]]
)
def test_help_imports_no_model_library(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom img2poem.cli import main\n"
        f"sys.argv = ['img2poem', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('imported:', *sys.modules, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    imported = set(run.stderr.split("imported:")[1].split())
    assert "typer" in imported
    assert not imported & HEAVY


def test_importing_the_package_imports_no_model_library() -> None:
    script = "import sys, img2poem\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & HEAVY


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [(["--version"], 0, "0.1.0"), (["query", "nosuch.jpg"], 1, ""), (["nonsense"], 2, "")],
)
def test_the_process_ends_with_its_code_and_all_of_its_output(
    arguments: list[str], code: int, said: str
) -> None:
    command = [sys.executable, "-m", "img2poem", *arguments]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == code
    assert run.stdout.strip() == said
    assert bool(run.stderr) == (code != 0)


def test_a_query_leaves_nothing_of_the_runtimes_in_the_home_folder(
    tmp_path: Path, small: Path
) -> None:
    code = "from img2poem.cli import main; main()"
    subprocess.run(
        [sys.executable, "-c", code, "query", "月", "--data", str(small)],
        check=True,
        capture_output=True,
        env=os.environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert not list(tmp_path.rglob("*onnxruntime*"))


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_stream_that_is_closed_is_no_matter(closed: str) -> None:
    command = f'"$0" -m img2poem query nosuch.jpg {closed}>&-'
    run = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, text=True)
    assert run.returncode == 1
    assert "Traceback" not in run.stdout + run.stderr
    assert ("nosuch.jpg" in run.stderr) == (closed == "1")
