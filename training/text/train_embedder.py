"""Fine-tune the embedder on modern/classical pairs, keywords and captions.

    python train_embedder.py --data data.npz --base base.npz --out embedder.npz --seconds 1500

Each batch comes from one source, so that its in-batch negatives are of a kind. The loss is
InfoNCE from query to verse (in-batch negatives and, for CCPM, two of the three wrong choices)
and at half weight from verse to query; equal texts are never each other's negatives. The
learning rate falls linearly over ``--seconds`` of wall-clock time, so a faster machine trains
longer, not shorter.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from model import Embedder
from torch import Tensor

from data import Data, Draw, Ids, padded

TEMPERATURE = 0.03
REVERSE_WEIGHT = 0.5
DROPOUT = 0.05
UNKNOWN_SHARE = 0.04
LONGEST_QUERY = 62
SOURCES = {
    "ccpm": 0.56,
    "starter": 0.16,
    "pairs": 0.05,
    "ccpm_keywords": 0.05,
    "starter_keywords": 0.12,
    "captions": 0.06,
}
Batch = tuple[list[Ids], list[Ids], list[Ids]]


def draw_batch(draw: Draw, source: str, size: int) -> Batch:
    """Queries, their texts, and hard negatives (empty for most sources)."""
    data, random = draw.data, draw.random
    if source == "ccpm":
        chosen = draw.rows(source, size, len(data["train_query"]))
        rows = [data.choices("train", i) for i in chosen]
        hard = [wrong[j] for _, wrong in rows for j in random.permutation(3)[:2]]
        return [data["train_query"][i] for i in chosen], [right for right, _ in rows], hard
    if source == "starter":
        chosen = draw.rows(source, size, len(data["starter_verse"]))
        queries = [data["starter_rendering"][i] for i in chosen]
        return queries, [data["starter_verse"][i] for i in chosen], []
    if source == "pairs":
        chosen = draw.rows(source, size, len(data["pairs_query"]))
        return (
            [data["pairs_query"][i] for i in chosen],
            [data["pairs_verse"][i] for i in chosen],
            [],
        )
    if source == "ccpm_keywords":
        chosen = draw.keyword_rows("train", size)
        texts = [data.choices("train", i)[0] for i in chosen]
        return [draw.keyword_query("train", i) for i in chosen], texts, []
    if source == "starter_keywords":
        chosen = draw.keyword_rows("starter", size)
        queries = [draw.keyword_query("starter", i) for i in chosen]
        kinds = ["starter_verse" if random.rand() < 0.4 else "starter_rendering" for _ in chosen]
        return queries, [data[kind][i] for kind, i in zip(kinds, chosen, strict=True)], []
    photos = draw.rows(source, size, len(data["caption"]) // 7)
    both = [draw.two_captions(photo) for photo in photos]
    return [one for one, _ in both], [other for _, other in both], []


def embed(
    model: Embedder,
    rows: Sequence[Ids],
    *,
    drop: float = 0.0,
    unknown: float = 0.0,
    random: np.random.RandomState | None = None,
    tokens: int = 2048,
) -> Tensor:
    """Unit rows (len(rows), 384), read in groups of like length and of few different shapes."""
    device = model.word.weight.device
    order = np.argsort([len(row) for row in rows], kind="stable")[::-1]
    vectors, at = [], 0
    while at < len(order):
        longest = min(len(rows[order[at]]), LONGEST_QUERY) + 2
        length = -(-longest // 4) * 4
        count = max(1, tokens // length)
        group = [rows[i] for i in order[at : at + count]]
        if random is not None:
            group = [np.where(random.rand(len(row)) < unknown, 3, row) for row in group]
        ids, mask = padded(group, length, count)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            out = model(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device), drop)
        vectors.append(out[: len(group)])
        at += count
    back = torch.from_numpy(np.argsort(order)).to(device)
    return torch.cat(vectors)[back]


def contrast(model: Embedder, batch: Batch, random: np.random.RandomState) -> Tensor:
    """InfoNCE both ways."""
    queries, texts, hard = batch
    size = len(queries)
    everything = [*queries, *texts, *hard]
    vectors = embed(model, everything, drop=DROPOUT, unknown=UNKNOWN_SHARE, random=random)
    scores = vectors[:size] @ vectors[size:].T / TEMPERATURE
    names = np.array([hash(row.tobytes()) for row in (*texts, *hard)])
    same = torch.from_numpy(names[:size, None] == names[None]).to(scores.device)
    same.fill_diagonal_(False)
    scores = scores.masked_fill(same, -1e4)
    own = torch.arange(size, device=scores.device)
    backward = F.cross_entropy(scores[:, :size].T, own)
    return F.cross_entropy(scores, own) + REVERSE_WEIGHT * backward


@torch.no_grad()
def evaluate(model: Embedder, data: Data, rows: int) -> str:
    """Four-way accuracy, and recall in the pool of all choices, on development rows."""
    model.eval()
    rows = min(rows, len(data["dev_query"]))
    queries = embed(model, [data["dev_query"][i] for i in range(rows)]).float()
    choices = embed(model, [data["dev_choice"][i] for i in range(4 * rows)]).float()
    right = torch.from_numpy(data.numbers["dev_answer"][:rows].astype(np.int64)).to(queries.device)
    four = torch.einsum("nd,nkd->nk", queries, choices.view(rows, 4, -1))
    scores = queries @ choices.T
    own = scores.gather(1, (torch.arange(rows, device=right.device) * 4 + right)[:, None])
    ranks = (scores > own).sum(1) + 1
    model.train()
    recall = " ".join(f"{(ranks <= k).float().mean():.4f}" for k in (1, 5, 10))
    return f"accuracy {(four.argmax(1) == right).float().mean():.4f} recall@1/5/10 {recall}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=1500)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1.2e-4)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = Data(arguments.data)
    draw = Draw(data, arguments.seed)
    with np.load(arguments.base) as file:
        weights = {name: torch.from_numpy(file[name]) for name in file.files}
    model = Embedder(len(weights["word.weight"]))
    model.load_state_dict(weights)
    model.to(device)
    train(model, draw, arguments.seconds, arguments.batch, arguments.rate)
    np.savez(arguments.out, **{n: w.cpu().numpy() for n, w in model.state_dict().items()})
    print("development:", evaluate(model, data, 2600))


def train(model: Embedder, draw: Draw, seconds: float, size: int, rate: float) -> None:
    """AdamW; embeddings learn faster, as many characters are new."""
    matrices = [p for n, p in model.named_parameters() if n[:5] != "word." and p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [
        {"params": [model.word.weight], "lr": 2.5 * rate, "weight_decay": 0.0},
        {"params": matrices, "lr": rate, "weight_decay": 0.01},
        {"params": vectors, "lr": rate, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6)
    rates = [group["lr"] for group in optimiser.param_groups]
    model.train()
    began, step, losses = time.monotonic(), 0, []
    while (done := (time.monotonic() - began) / seconds) < 1:
        source = str(draw.random.choice(list(SOURCES), p=list(SOURCES.values())))
        loss = contrast(model, draw_batch(draw, source, size), draw.random)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        factor = min(1.0, (step + 1) / 25) * max(0.02, 1 - done)
        for group, full in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = full * factor
        optimiser.step()
        step += 1
        losses.append(loss.item())
        if step % 50 == 0:
            print(f"step {step}, {done:.0%}, loss {np.mean(losses[-50:]):.3f}", flush=True)
    print(f"{step} steps")


if __name__ == "__main__":
    main()
