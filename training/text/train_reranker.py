"""Train the reranker from the tuned embedder, whose lower layers it keeps.

    python train_reranker.py --data data.npz --embedder embedder.npz --out reranker.npz

A list is a query, the text that answers it and four that do not: CCPM's three wrong choices
and a stranger; for the starter corpus, verses (or renderings) that the embedder finds near;
for captions, other photos'. The loss is softmax over a list, and a logistic loss at 0.3 of
each candidate against a learnt offset, so that scores can be compared across queries; lists
of queries that poetry does not speak of have the logistic loss alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mine import nearest
from model import Embedder, Reranker
from torch import Tensor, nn
from train_embedder import LONGEST_QUERY, embed

from data import Data, Draw, Ids, padded

DROPOUT = 0.05
UNKNOWN_SHARE = 0.03
POINTWISE_WEIGHT = 0.3
LISTS_AT_ONCE = 8
SOURCES = {
    "ccpm": 0.56,
    "ccpm_keywords": 0.08,
    "rendering_to_verse": 0.08,
    "rendering_to_rendering": 0.05,
    "keywords": 0.12,
    "captions": 0.06,
    "not_poetry": 0.05,
}
List = tuple[Ids, list[Ids]]


class Lists:
    """Draws lists; the first candidate is the right one, except for ``not_poetry``."""

    def __init__(self, draw: Draw, near_verses: Ids, near_renderings: Ids) -> None:
        self.draw = draw
        self.data = draw.data
        self.random = draw.random
        self.near = {"starter_verse": near_verses, "starter_rendering": near_renderings}

    def batch(self, source: str, size: int) -> list[List]:
        if source in ("ccpm", "ccpm_keywords"):
            return self._ccpm(source, size)
        if source == "captions":
            return self._captions(size)
        if source == "not_poetry":
            return self._not_poetry(size // 2)
        return self._starter(source, size)

    def _ccpm(self, source: str, size: int) -> list[List]:
        rows = len(self.data["train_query"])
        if source == "ccpm":
            chosen = self.draw.rows(source, size, rows)
        else:
            chosen = self.draw.keyword_rows("train", size)
        out: list[List] = []
        for i in chosen:
            right, wrong = self.data.choices("train", i)
            stranger = self.data.choices("train", self.random.randint(rows))[0]
            plain = self.data["train_query"][i]
            query = plain if source == "ccpm" else self.draw.keyword_query("train", i)
            out.append((query, [right, *wrong, stranger]))
        return out

    def _starter(self, source: str, size: int) -> list[List]:
        rows = len(self.data["starter_verse"])
        if source == "keywords":
            chosen = self.draw.keyword_rows("starter", size)
        else:
            chosen = self.draw.rows(source, size, rows)
        out: list[List] = []
        for i in chosen:
            verse = source == "rendering_to_verse"
            verse = verse or (source == "keywords" and self.random.rand() < 0.45)
            kind = "starter_verse" if verse else "starter_rendering"
            words = len(self.data.keywords("starter", i)) >= 2 and source != "rendering_to_verse"
            if words and (source == "keywords" or self.random.rand() < 0.5):
                query = self.draw.keyword_query("starter", i)
            else:
                query = self.data["starter_rendering"][i]
            wrong = self.random.choice(self.near[kind][i], 4, replace=False)
            out.append((query, [self.data[kind][j] for j in (i, *wrong)]))
        return out

    def _captions(self, size: int) -> list[List]:
        photos = len(self.data["caption"]) // 7
        out: list[List] = []
        for photo in self.draw.rows("captions", size, photos):
            query, right = self.draw.two_captions(photo)
            others = [7 * self.random.randint(photos) + self.random.randint(7) for _ in range(4)]
            out.append((query, [right, *(self.data["caption"][i] for i in others)]))
        return out

    def _not_poetry(self, size: int) -> list[List]:
        out: list[List] = []
        for i in self.random.randint(0, len(self.data["not_poetry_fit"]), size):
            kind = "starter_verse" if self.random.rand() < 0.5 else "starter_rendering"
            chosen = self.random.randint(0, len(self.data[kind]), 5)
            out.append((self.data["not_poetry_fit"][int(i)], [self.data[kind][j] for j in chosen]))
        return out


def score(
    model: Reranker,
    lists: Sequence[List],
    *,
    drop: float = 0.0,
    random: np.random.RandomState | None = None,
) -> Tensor:
    """Logits (lists, candidates); every list has as many candidates."""
    device = model.scale.device

    def pad(rows: list[Ids]) -> tuple[Tensor, Tensor]:
        rows = [row[:LONGEST_QUERY] for row in rows]
        if random is not None:
            rows = [np.where(random.rand(len(row)) < UNKNOWN_SHARE, 3, row) for row in rows]
        ids, mask = padded(rows, max(len(row) for row in rows) + 2, len(rows))
        return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)

    candidates = len(lists[0][1])
    asked = torch.arange(len(lists), device=device).repeat_interleave(candidates)
    queries = pad([query for query, _ in lists])
    texts = pad([text for _, texts in lists for text in texts])
    with torch.autocast(device.type, dtype=torch.bfloat16):
        return model(*queries, *texts, asked, drop).view(len(lists), candidates)


@torch.no_grad()
def evaluate(model: Reranker, data: Data, rows: int) -> str:
    """Four-way accuracy on development rows."""
    model.eval()
    rows = min(rows, len(data["dev_query"]))
    right = 0
    for start in range(0, rows, 16):
        some = range(start, min(start + 16, rows))
        lists = [
            (data["dev_query"][i], [data["dev_choice"][4 * i + j] for j in range(4)]) for i in some
        ]
        best = score(model, lists).argmax(1).cpu().numpy()
        right += int((best == data.numbers["dev_answer"][some.start : some.stop]).sum())
    model.train()
    return f"accuracy {right / rows:.4f} of {rows}"


def loss_of(logits: Tensor, offset: Tensor, source: str) -> Tensor:
    """The loss of some lists, summed over them."""
    truth = torch.zeros_like(logits)
    candidates = logits.shape[1]
    if source == "not_poetry":
        wrong = F.binary_cross_entropy_with_logits(logits - offset, truth, reduction="sum")
        return 0.5 * wrong / candidates
    truth[:, 0] = 1
    pointwise = F.binary_cross_entropy_with_logits(
        logits - offset, truth, pos_weight=torch.tensor(2.0, device=logits.device), reduction="sum"
    )
    first = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    listwise = F.cross_entropy(logits, first, reduction="sum")
    return listwise + POINTWISE_WEIGHT * pointwise / candidates


def train(model: Reranker, lists: Lists, seconds: float, size: int, rate: float) -> float:
    """AdamW on the upper layers and the head; the learnt offset."""
    offset = nn.Parameter(torch.tensor(10.0, device=model.scale.device))
    own = {id(p) for p in (*model.mix.parameters(), *model.out.parameters(), model.scale)}
    body = [p for p in model.parameters() if p.requires_grad and id(p) not in own]
    groups = [
        {"params": [p for p in body if p.dim() > 1], "lr": rate, "weight_decay": 0.01},
        {"params": [p for p in body if p.dim() == 1], "lr": rate},
        {"params": [*model.mix.parameters(), *model.out.parameters()], "lr": 5 * rate},
        {"params": [model.scale, offset], "lr": 100 * rate},
    ]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.0)
    rates = [group["lr"] for group in optimiser.param_groups]
    trained = [p for group in optimiser.param_groups for p in group["params"]]
    random = lists.random
    model.train()
    began, step, losses = time.monotonic(), 0, []
    while (done := (time.monotonic() - began) / seconds) < 1:
        source = str(random.choice(list(SOURCES), p=list(SOURCES.values())))
        batch = lists.batch(source, size)
        # Lists of like length together; their gradients add up.
        batch.sort(key=lambda one: sum(len(text) for text in one[1]))
        optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for start in range(0, len(batch), LISTS_AT_ONCE):
            logits = score(model, batch[start : start + LISTS_AT_ONCE], drop=DROPOUT, random=random)
            loss = loss_of(logits, offset, source) / len(batch)
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        factor = min(1.0, (step + 1) / 20) * max(0.02, 1 - done)
        for group, full in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = full * factor
        optimiser.step()
        step += 1
        losses.append(total)
        if step % 50 == 0:
            print(f"step {step}, {done:.0%}, loss {np.mean(losses[-50:]):.3f}", flush=True)
    print(f"{step} steps")
    return float(offset.detach())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embedder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=1860)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--lower", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = Data(arguments.data)
    with np.load(arguments.embedder) as file:
        weights = {name: torch.from_numpy(file[name]) for name in file.files}
    embedder = Embedder(len(weights["word.weight"])).to(device).eval()
    embedder.load_state_dict(weights)
    with torch.no_grad():
        verses = embed(embedder, data["starter_verse"]).float()
        renderings = embed(embedder, data["starter_rendering"]).float()
    lists = Lists(
        Draw(data, arguments.seed),
        nearest(renderings, verses, skip=0, count=24),
        nearest(renderings, renderings, skip=2, count=24),
    )
    model = Reranker(len(weights["word.weight"]), arguments.lower).to(device)
    model.load_state_dict(weights, strict=False)
    model.freeze_lower()
    print("before training:", evaluate(model, data, 300), flush=True)
    offset = train(model, lists, arguments.seconds, arguments.batch, arguments.rate)
    state = {name: weight.cpu().numpy() for name, weight in model.state_dict().items()}
    np.savez(arguments.out, **state, lower=np.array(arguments.lower), offset=np.array(offset))
    print("development:", evaluate(model, data, 2600))


if __name__ == "__main__":
    main()
