"""Features, class scores and light of every packed photo, by the very model that ships.

    python features.py --pack DIR --backbone backbone.onnx --out DIR

Writes ``features.npz`` (F (2, n, 1280) and L (2, n, 1000): the whole photo, then its centre)
and ``light.npy`` (n, 96). 15,146 photos take about eight minutes on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
from photos import open_packed, read_rows

from img2poem.models.builtin.vision import light, pixels

BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--pack", "--backbone", "--out"):
        parser.add_argument(name, type=Path, required=True)
    args = parser.parse_args()
    session = onnxruntime.InferenceSession(
        args.backbone.read_bytes(), providers=["CPUExecutionProvider"]
    )
    count = len(read_rows(args.pack))
    features = np.zeros((2, count, 1280), np.float16)
    logits = np.zeros((2, count, 1000), np.float16)
    colours = np.zeros((count, 96), np.float16)
    for start in range(0, count, BATCH):
        here = slice(start, min(start + BATCH, count))
        photos = open_packed(args.pack, list(range(here.start, here.stop)))
        colours[here] = [light(photo) for photo in photos]
        views = [pixels(photo) for photo in photos]
        for number in range(2):
            batch = np.stack([view[number] for view in views])
            features[number, here], logits[number, here] = session.run(None, {"x": batch})
    args.out.mkdir(parents=True, exist_ok=True)
    np.savez(args.out / "features.npz", F=features, L=logits)
    np.save(args.out / "light.npy", colours)


if __name__ == "__main__":
    main()
