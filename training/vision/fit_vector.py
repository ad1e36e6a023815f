"""Fit the photo vector: frozen features into the text embedder's own space.

    python fit_vector.py --pack DIR --features F.npz --light light.npy --captions captions.npz \
        --out DIR [--epochs 24]

``captions.npz`` holds ``vectors`` (n, dim): the embedder's vectors of ``caption_texts(rows)``,
in that order. Writes ``vector.npz`` and ``vector.json`` (recalls on Flickr8k-CN's test split,
none of whose photos or captions are trained on).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from inputs import Scaling, read_views
from measure import recall
from photos import caption_texts, choose_tags, label_matrix, read_rows
from torch import nn

BATCH, EXTRA = 512, 3072


class Captions:
    """Caption vectors and which photos each may describe."""

    def __init__(self, path: Path, rows: list[dict], tags: list[str]) -> None:
        texts = caption_texts(rows)
        with np.load(path) as arrays:
            self.vectors = F.normalize(torch.tensor(arrays["vectors"].astype(np.float32)), dim=1)
        self.row = torch.tensor([t[0] for t in texts])
        self.kind = torch.tensor([t[1] for t in texts])
        number: dict[str, int] = {}
        self.text = torch.tensor([number.setdefault(t[2], len(number)) for t in texts])
        column = {tag: i for i, tag in enumerate(tags)}
        self.shown = torch.zeros(len(texts), len(tags))
        self.of_row: list[list[int]] = [[] for _ in rows]
        for j, (i, _, _, named) in enumerate(texts):
            self.of_row[i].append(j)
            self.shown[j, [column[t] for t in named if t in column]] = 1
        labels = torch.tensor(label_matrix(rows, tags))
        self.possible = (labels != 0).float()

    def apart(self, texts: torch.Tensor, photos: torch.Tensor) -> torch.Tensor:
        """Which texts (columns) surely do not describe which photos (rows)."""
        own = self.row[texts][None, :] == photos[:, None]
        named = self.shown[texts]
        fits = self.possible[photos] @ named.T >= named.sum(1)[None, :] - 0.5
        return ~(own | (fits & (named.sum(1) > 0)[None, :]))


def fit(
    views: torch.Tensor, captions: Captions, train: np.ndarray, args: argparse.Namespace
) -> nn.Module:
    """Contrast each photo with its caption, the batch's others and a random thousand more."""
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    net = nn.Sequential(
        nn.Dropout(args.drop),
        nn.Linear(views.shape[2], args.hidden),
        nn.GELU(),
        nn.Dropout(args.drop),
        nn.Linear(args.hidden, captions.vectors.shape[1]),
    )
    scale = nn.Parameter(torch.tensor(3.0))
    steps = args.epochs * (len(train) // BATCH)
    optimiser = torch.optim.AdamW([*net.parameters(), scale], lr=1.5e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1.5e-3, steps)
    in_train = torch.zeros(len(captions.of_row), dtype=torch.bool)
    in_train[train] = True
    pool = torch.nonzero(in_train[captions.row]).flatten()
    started = time.time()
    for epoch in range(args.epochs):
        order = rng.permutation(train)
        for start in range(0, len(order) - BATCH + 1, BATCH):
            photos = torch.tensor(order[start : start + BATCH])
            chosen = torch.tensor([rng.choice(captions.of_row[i]) for i in photos.tolist()])
            texts = torch.cat([chosen, pool[torch.randint(len(pool), (EXTRA,))]])
            allowed = captions.apart(texts, photos)
            here = torch.arange(BATCH)
            allowed[here, here] = True
            mix = torch.rand(BATCH, 1)
            out = F.normalize(net(mix * views[0, photos] + (1 - mix) * views[1, photos]), dim=1)
            cosine = out @ captions.vectors[texts].T
            wide = (scale.exp().clamp(max=60) * cosine).masked_fill(~allowed, -1e4)
            loss = F.cross_entropy(wide, here) + F.cross_entropy(wide[:, :BATCH].T, here)
            # A little of plain nearness, so that cosines to photos and to texts compare.
            loss = loss + 0.5 * (1 - cosine[here, here]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        print(epoch, round(loss.item(), 3), f"{time.time() - started:.0f} s", flush=True)
    return net.eval()


def measure(vectors: np.ndarray, captions: Captions, rows: list[dict]) -> dict[str, list[float]]:
    """Recall between the test photos and their five human captions each."""
    test = [i for i, r in enumerate(rows) if r["cap_split"] == "test"]
    place = {row: n for n, row in enumerate(test)}
    use = [j for i in test for j in captions.of_row[i] if captions.kind[j] == 0]
    owner = np.array([place[int(captions.row[j])] for j in use])
    return recall(vectors[test] @ captions.vectors[use].numpy().T, owner)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--pack", "--features", "--light", "--captions", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--drop", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = read_rows(args.pack)
    captions = Captions(args.captions, rows, choose_tags(rows, 4))
    train = np.array([i for i, r in enumerate(rows) if r["train"] and captions.of_row[i]])
    raw = read_views(args.features, args.light)
    scaling = Scaling.fit(np.concatenate([v[train] for v in raw]))
    views = torch.tensor(np.stack([scaling.apply(v) for v in raw]))
    del raw
    net = fit(views, captions, train, args)
    with torch.no_grad():
        out = F.normalize(torch.stack([net(v) for v in views]).mean(0), dim=1).numpy()
    figures = measure(out, captions, rows)
    print(figures)
    args.out.mkdir(parents=True, exist_ok=True)
    arrays = {k: v.numpy() for k, v in net.state_dict().items()}
    np.savez(args.out / "vector.npz", mean=scaling.mean, spread=scaling.spread, **arrays)
    np.save(args.out / "photo_vectors.npy", out.astype(np.float16))
    (args.out / "vector.json").write_text(json.dumps(figures, indent=1), "utf-8")


if __name__ == "__main__":
    main()
