"""Read the training texts with several models, for another to be taught by all of them.

    python teach.py --data OUT/data.npz --teachers OUT/data.npz:first.npz M3E/data.npz:second.npz \\
        --out taught.npz

A teacher is the data as its tokenizer cuts it (``prepare_data.py`` from the same files) and its
weights. What is written: a vector a text, whose cosines are the mean of the teachers', and for
each query the texts that lie nearest by it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from model import load
from taught import Texts
from torch import Tensor
from train_embedder import TOO_ALIKE, TOO_NEAR, vectors

from data import Data

NEAREST, SPARE = 32, 16
AT_ONCE = 512


def nearest(
    space: Tensor, pool: Tensor, queries: Sequence[int], answers: Sequence[int] | None = None
) -> npt.NDArray[np.int32]:
    """The numbers of the texts of ``pool`` nearest to each query (queries, NEAREST).

    With ``answers``, a text that says the same as the answer, or lies nearer than it, is left out.
    """
    texts = space[pool].bfloat16().T.contiguous()
    found = []
    for start in range(0, len(queries), AT_ONCE):
        asked = space[list(queries[start : start + AT_ONCE])]
        scores = (asked.bfloat16() @ texts).float()
        if answers is not None:
            right = space[list(answers[start : start + AT_ONCE])]
            scores[scores > (asked * right).sum(1, keepdim=True) + TOO_NEAR] = -9.0
            best = scores.topk(NEAREST + SPARE, 1)
            alike = torch.einsum("nd,nkd->nk", right, space[pool[best.indices]]) > TOO_ALIKE
            kept = best.values.masked_fill(alike, -9.0).topk(NEAREST, 1).indices
            found.append(best.indices.gather(1, kept))
        else:
            found.append(scores.topk(NEAREST, 1).indices)
    return pool[torch.cat(found)].int().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="of the model to be taught")
    parser.add_argument("--teachers", nargs="+", required=True, help="DATA:WEIGHTS")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    data = Data(arguments.data)
    texts = Texts(data)
    parts = []
    for teacher in arguments.teachers:
        cut, weights = map(Path, teacher.split(":"))
        its_own = Data(cut)
        model = load(weights).eval()
        model.to("cuda" if torch.cuda.is_available() else "cpu")
        parts.append(vectors(model, [its_own[kind][row] for kind, row in texts.places]).cpu())
    space = torch.cat(parts, 1).float() / len(parts) ** 0.5

    def numbers(kind: str) -> list[int]:
        found = (texts.number(ids) for ids in data[kind])
        return [number for number in found if number is not None]

    held_out = {ids.tobytes() for ids in data["dev_choice"]}
    choices = {
        number
        for ids, number in zip(data["train_choice"], numbers("train_choice"), strict=True)
        if ids.tobytes() not in held_out
    }
    pool = torch.tensor(sorted(choices | set(numbers("starter_verse"))))
    right = numbers("train_choice")
    answers = [right[4 * row + int(at)] for row, at in enumerate(data.numbers["train_answer"])]
    np.savez(
        arguments.out,
        vectors=space.half().numpy(),
        four_way=nearest(space, pool, numbers("train_query"), answers),
        short=nearest(space, pool, numbers("short_query")),
        occasions=nearest(space, pool, numbers("occasion")),
    )


if __name__ == "__main__":
    main()
