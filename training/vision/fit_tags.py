"""Fit the tag head on frozen features.

    python fit_tags.py --pack DIR --features F.npz --light light.npy --out DIR [--leave-out flickr]

Writes ``tags.npz`` (weight, bias, mean, spread) and ``tags.json`` (names and figures).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from inputs import Floats, Scaling, read_views
from measure import tag_precision
from photos import choose_tags, label_matrix, read_rows
from torch import nn

IMAGENET = "EliSchwartz/imagenet-sample-images"
SOURCES = {"flickr": {"RlNZLER/Image-Text-Matching", "flickr8k"}, "corel": {"lza2293/Dian"}}


def fit(
    views: list[Floats],
    labels: Floats,
    weight: Floats,
    *,
    epochs: int,
    hidden: int,
    seed: int,
    decay: float,
    drop: float,
) -> nn.Module:
    """A head trained on both views of every row, masked where a label is not known."""
    torch.manual_seed(seed)
    x = torch.tensor(np.stack(views))
    y, w = torch.tensor(labels), torch.tensor(weight)
    known = ~y.isnan()
    positives = (y == 1).sum(0).clamp(min=1)
    # Rare tags: their few photos count for more, but not by so much that one photo rules.
    pos_weight = ((known.sum(0) - positives) / positives).sqrt().clamp(1, 12)
    net = head(x.shape[2], y.shape[1], hidden, drop)
    steps = epochs * (len(y) // 256)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(y))
        for start in range(0, len(y) - 255, 256):
            rows = torch.tensor(order[start : start + 256])
            # A random mix of the two views stands for the crops between them.
            mix = torch.rand(256, 1)
            inputs = mix * x[0, rows] + (1 - mix) * x[1, rows]
            loss = F.binary_cross_entropy_with_logits(
                net(inputs),
                y[rows].nan_to_num(),
                weight=known[rows].float(),
                pos_weight=pos_weight,
                reduction="none",
            )
            loss = (loss.sum(1) * w[rows]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return net.eval()


def head(columns: int, tags: int, hidden: int, drop: float) -> nn.Sequential:
    """One hidden layer: a linear head reached 0.015 less."""
    net = nn.Sequential(
        nn.Dropout(drop),
        nn.Linear(columns, hidden),
        nn.GELU(),
        nn.Dropout(0.3),
        nn.Linear(hidden, tags),
    )
    nn.init.constant_(net[-1].bias, -4.0)
    return net


def fit_several(
    views: list[Floats], labels: Floats, weight: Floats, args: argparse.Namespace
) -> nn.Module:
    """The mean of heads from several seeds, as one head as wide as all of them."""
    nets = [
        fit(
            views,
            labels,
            weight,
            epochs=args.epochs,
            hidden=args.hidden,
            seed=args.seed + number,
            decay=args.decay,
            drop=args.drop,
        )
        for number in range(args.seeds)
    ]
    wide = head(views[0].shape[1], labels.shape[1], args.hidden * args.seeds, args.drop)
    parts = [net.state_dict() for net in nets]
    wide.load_state_dict(
        {
            "1.weight": torch.cat([p["1.weight"] for p in parts]),
            "1.bias": torch.cat([p["1.bias"] for p in parts]),
            "4.weight": torch.cat([p["4.weight"] for p in parts], 1) / len(parts),
            "4.bias": torch.stack([p["4.bias"] for p in parts]).mean(0),
        }
    )
    return wide.eval()


def _held_out(
    views: list[Floats], labels: Floats, weight: Floats, train: np.ndarray, args: argparse.Namespace
) -> Floats:
    """Scores of the training rows by heads that did not see them; NaN for other rows."""
    fold = np.random.default_rng(args.seed + 1).integers(args.folds, size=len(train))
    scores = np.full(labels.shape, np.nan, np.float32)
    for number in range(args.folds):
        rest, away = train & (fold != number), train & (fold == number)
        net = fit_several([v[rest] for v in views], labels[rest], weight[rest], args)
        with torch.no_grad():
            each = [net(torch.tensor(v[away])).numpy() for v in views]
        scores[away] = np.mean(each, axis=0)
    return scores


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--pack", "--features", "--light", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--leave-out", choices=sorted(SOURCES))
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--decay", type=float, default=0.05)
    parser.add_argument("--drop", type=float, default=0.4)
    parser.add_argument("--min-photos", type=int, default=4)
    parser.add_argument("--folds", type=int, default=0, help="for scores to calibrate on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = read_rows(args.pack)
    tags = choose_tags(rows, args.min_photos)
    labels, strict = label_matrix(rows, tags), label_matrix(rows, tags, related=False)
    source = np.array([r["src"] for r in rows])
    away = np.isin(source, list(SOURCES.get(args.leave_out, ())))
    split = np.array([r["tag_split"] for r in rows])
    train = np.array([r["train"] for r in rows]) & ~away & (split != "none")
    weight = np.where(split == "extra", 0.5, 1.0).astype(np.float32)
    views = read_views(args.features, args.light)
    scaling = Scaling.fit(np.concatenate([v[train] for v in views]))
    views = [scaling.apply(v) for v in views]
    net = fit_several([v[train] for v in views], labels[train], weight[train], args)
    with torch.no_grad():
        scores = np.mean([net(torch.tensor(v)).numpy() for v in views], axis=0)
    if args.folds:
        np.save(_made(args.out) / "held_out.npy", _held_out(views, labels, weight, train, args))
    seen = np.nansum(labels[train] == 1, axis=0)
    figures: dict = {}
    parts = {"test": split == "test", "test_no_imagenet": (split == "test") & (source != IMAGENET)}
    if args.leave_out:
        parts = {"left_out": away & (split != "extra")}
    for name, mask in parts.items():
        for kind, truth in (("", labels), ("_strict", strict)):
            each = tag_precision(truth[mask], scores[mask])
            learnt = {t: v for t, v in each.items() if seen[t] >= 15}
            figures[name + kind] = [round(float(np.mean(list(learnt.values()))), 4), len(learnt)]
            figures["ap_" + name + kind] = {
                tags[t]: round(v, 3) for t, v in sorted(each.items(), key=lambda p: p[1])
            }
    _made(args.out)
    print({k: v for k, v in figures.items() if not k.startswith("ap_")})
    arrays = {k: v.numpy() for k, v in net.state_dict().items()}
    np.savez(args.out / "tags.npz", mean=scaling.mean, spread=scaling.spread, **arrays)
    np.save(args.out / "tag_scores.npy", scores.astype(np.float16))
    (args.out / "tags.json").write_text(
        json.dumps({"tags": tags, "figures": figures}, ensure_ascii=False, indent=1), "utf-8"
    )


if __name__ == "__main__":
    main()
