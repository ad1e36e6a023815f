"""Build the index that ships: the starter corpus's translations under the built-in embedder.

    python training/ship_index.py

To be run whenever data/works.json or the built-in embedder has changed.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from img2poem.corpus import FILES
from img2poem.corpus.prepare import prepare
from img2poem.datadir import shipped_index, starter_works
from img2poem.index.build import build_index
from img2poem.models.builtin.text import BuiltinEmbedder

CORPUS = "ct"


def main() -> None:
    folder = shipped_index(CORPUS)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        prepare(starter_works(), Path(work))
        made = Path(work) / "index"
        report = build_index(Path(work) / FILES[CORPUS], made, BuiltinEmbedder(), corpus=CORPUS)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
    for label, value in report.rows():
        print(f"{label:24}{value}")


if __name__ == "__main__":
    main()
