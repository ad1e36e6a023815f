"""The weighted mean of several runs' weights.

    python average.py 0.7 later.npz 0.3 earlier.npz --out embedder.npz

Two runs on much the same rows, averaged, do better than either (RESULTS.md).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt


def average(runs: Sequence[tuple[float, Path]]) -> dict[str, npt.NDArray[np.float32]]:
    """Share and file of each run to the mean of their weights, by name.

    Raises:
        ValueError: the shares are not 1 in all, or the files are not of one model.
    """
    if abs(sum(share for share, _ in runs) - 1) > 1e-6:
        raise ValueError("the shares must be 1 in all")
    total: dict[str, npt.NDArray[np.float32]] = {}
    for share, path in runs:
        with np.load(path) as file:
            weights = {name: share * file[name].astype(np.float32) for name in file.files}
        if total and {n: w.shape for n, w in total.items()} != {
            n: w.shape for n, w in weights.items()
        }:
            raise ValueError(f"{path} is not of the same model")
        total = {name: total[name] + w if total else w for name, w in weights.items()}
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", help="a share and a file, and again")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    if len(arguments.runs) % 2:
        parser.error("give a share before each file")
    shares, files = map(float, arguments.runs[::2]), map(Path, arguments.runs[1::2])
    np.savez(arguments.out, **average(list(zip(shares, files, strict=True))))


if __name__ == "__main__":
    main()
