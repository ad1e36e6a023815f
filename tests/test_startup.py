"""Starting up is quick: nothing heavy is imported before it is used."""

from __future__ import annotations

import subprocess
import sys

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


@pytest.mark.parametrize("arguments", [["--help"], ["query", "--help"], ["--version"], ["config"]])
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
