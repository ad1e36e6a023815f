"""Train the text model on modern/classical pairs, keywords, captions and a dictionary.

    python train_embedder.py --data data.npz --base base.npz --out embedder.npz --seconds 3300

Each batch comes from one source (``sources.py``), so that its in-batch negatives are of a
kind. The learning rate falls linearly over ``--seconds`` of training time, so a faster machine
trains longer, not shorter. What is saved is the moving average of the weights. Two times on
the way, the choices of all CCPM rows that the model takes for a row's answer are mined as
further negatives; or, with ``--taught``, teachers say which those are and how near (``teach.py``).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from losses import its_own, loss, part, taught_loss
from model import UNKNOWN, Embedder, Packed, Reading, load
from sources import Draw
from taught import Taught
from torch import Tensor

from data import Data, Ids, pack

UNKNOWN_SHARE = 0.04
AVERAGE = 0.998
MINE_AT = (0.2, 0.6)
# A text as near to the answer as this says the same; one this much nearer to the query than
# the answer is more likely right than wrong.
TOO_ALIKE, TOO_NEAR = 0.86, 0.06
NEAREST = 24
READ_AT_ONCE = 1200


def read(model: Embedder, texts: Sequence[Ids]) -> Reading:
    """Read a batch, in bfloat16 where that is faster."""
    device = model.word.weight.device
    packed = Packed(*(array.to(device) for array in pack(texts)))
    with torch.autocast(device.type, dtype=torch.bfloat16):
        return model(packed)


@torch.no_grad()
def vectors(model: Embedder, texts: Sequence[Ids]) -> Tensor:
    """Unit rows of any number of texts, (len(texts), the model's width)."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    parts = [
        read(model, [texts[i] for i in order[start : start + READ_AT_ONCE]]).vectors
        for start in range(0, len(order), READ_AT_ONCE)
    ]
    back = torch.from_numpy(np.argsort(order))
    return torch.cat(parts)[back.to(parts[0].device)]


@torch.no_grad()
def mine(model: Embedder, data: Data) -> list[list[Ids]]:
    """For each CCPM row, choices of other rows that the model holds for its answer."""
    model.eval()
    held_out = {row.tobytes() for row in data["dev_choice"]}
    pool = {row.tobytes(): row for row in data["train_choice"] if row.tobytes() not in held_out}
    texts = list(pool.values())
    space = vectors(model, texts)
    queries = vectors(model, list(data["train_query"]))
    answers = vectors(model, [data.choices("train", i)[0] for i in range(len(queries))])
    mined: list[list[Ids]] = []
    for start in range(0, len(queries), 1024):
        right = answers[start : start + 1024]
        asked = queries[start : start + 1024]
        scores = asked @ space.T
        scores[right @ space.T > TOO_ALIKE] = -9.0
        scores[scores > (asked * right).sum(1, keepdim=True) + TOO_NEAR] = -9.0
        mined += [[texts[i] for i in row] for row in scores.topk(NEAREST, 1).indices.tolist()]
    model.train()
    return mined


@torch.no_grad()
def evaluate(model: Embedder, data: Data, rows: int) -> str:
    """Four-way accuracy by vectors and with tokens; recall in the pool of all choices."""
    model.eval()
    rows = min(rows, len(data["dev_query"]))
    queries = vectors(model, [data["dev_query"][i] for i in range(rows)])
    choices = vectors(model, [data["dev_choice"][i] for i in range(4 * rows)])
    right = torch.from_numpy(data.numbers["dev_answer"][:rows].astype(np.int64)).to(queries.device)
    four = torch.einsum("nd,nkd->nk", queries, choices.view(rows, 4, -1))
    scores = queries @ choices.T
    own = scores.gather(1, (torch.arange(rows, device=right.device) * 4 + right)[:, None])
    ranks = (scores > own).sum(1) + 1
    tokens = torch.cat([_tokens(model, data, i, min(i + 100, rows)) for i in range(0, rows, 100)])
    model.train()
    recall = " ".join(f"{(ranks <= k).float().mean():.4f}" for k in (1, 5, 10))
    alone, both = ((s.argmax(1) == right).float().mean() for s in (four, four + tokens))
    return f"accuracy {alone:.4f}, with tokens {both:.4f}, recall@1/5/10 {recall}"


def _tokens(model: Embedder, data: Data, start: int, end: int) -> Tensor:
    """Agreement of the tokens of some development queries with their four choices."""
    queries = [data["dev_query"][i] for i in range(start, end)]
    choices = [data["dev_choice"][i] for i in range(4 * start, 4 * end)]
    reading = read(model, queries + choices)
    return its_own(part(reading, slice(0, len(queries))), part(reading, slice(len(queries), None)))


class Average:
    """A moving average of a model's weights, short at first."""

    def __init__(self, model: Embedder) -> None:
        self._weights = list(model.parameters())
        self._mean = [weight.detach().clone() for weight in self._weights]

    @torch.no_grad()
    def add(self, step: int) -> None:
        kept = min(AVERAGE, (1 + step) / (20 + step))
        torch._foreach_lerp_(self._mean, [w.data for w in self._weights], 1 - kept)

    @torch.no_grad()
    def take_over(self) -> None:
        """Give the average to the model."""
        for weight, mean in zip(self._weights, self._mean, strict=True):
            weight.copy_(mean)


def train(
    model: Embedder, draw: Draw, seconds: float, rate: float, taught: Taught | None = None
) -> None:
    """AdamW; embeddings learn faster, as many characters are new, and the new heads too."""
    named = dict(model.named_parameters())
    heads = [w for n, w in named.items() if n.startswith(("token.", "share."))]
    layers = {n: w for n, w in named.items() if not n.startswith(("word.", "token.", "share."))}
    groups = [
        {"params": [model.word.weight], "lr": 2.5 * rate, "weight_decay": 0.0},
        {"params": [w for w in layers.values() if w.dim() > 1], "lr": rate, "weight_decay": 0.01},
        {"params": [w for w in layers.values() if w.dim() == 1], "lr": rate, "weight_decay": 0.0},
        {"params": heads, "lr": 5 * rate, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6, fused=True)
    rates = [group["lr"] for group in optimiser.param_groups]
    average, to_mine = Average(model), [] if taught else list(MINE_AT)
    model.train()
    began, step, losses = time.monotonic(), 0, []
    while (done := (time.monotonic() - began) / seconds) < 1:
        if to_mine and done > to_mine[0]:
            to_mine.pop(0)
            draw.mined = mine(model, draw.data)
        batch = draw.batch()
        texts = [*batch.queries, *batch.texts, *batch.hard, *batch.near]
        noisy = [np.where(draw.random.rand(len(t)) < UNKNOWN_SHARE, UNKNOWN, t) for t in texts]
        reading = read(model, noisy)
        cosines = taught.cosines(batch) if taught else None
        value = loss(reading, batch) if cosines is None else taught_loss(reading, batch, cosines)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        factor = min(1.0, (step + 1) / 40) * max(0.02, 1 - done)
        for group, full in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = full * factor
        optimiser.step()
        step += 1
        average.add(step)
        losses.append(value.item())
        if step % 50 == 0:
            print(f"step {step}, {done:.0%}, loss {np.mean(losses[-50:]):.3f}", flush=True)
    average.take_over()
    print(f"{step} steps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True, help="or weights to go on from")
    parser.add_argument("--taught", type=Path, help="what teach.py wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=3300)
    parser.add_argument("--rate", type=float, default=1.3e-4)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = Data(arguments.data)
    taught = Taught(arguments.taught, data) if arguments.taught else None
    draw = Draw(data, arguments.seed, taught.near if taught else None)
    model = load(arguments.base)
    model.to(device)
    train(model, draw, arguments.seconds, arguments.rate, taught)
    np.savez(arguments.out, **{n: w.cpu().numpy() for n, w in model.state_dict().items()})
    print("development:", evaluate(model, data, 2600))


if __name__ == "__main__":
    main()
