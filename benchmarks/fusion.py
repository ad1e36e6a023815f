"""Choose how the channels are weighed for a photo, on photos kept out of the evaluation.

    python benchmarks/fusion.py LABELS.jsonl FOLDER --exclude training/vision/verse_eval.jsonl

Test photos of the labels (never trained on) that the evaluation does not use are asked once;
what every channel gives for every candidate is kept, and weights are searched at random for
those under which the first verse names a labelled tag, and names little else; but ``amiss``,
``dark``, ``quoted`` and ``known``, of which labels say nothing, keep their weights. Half of the
photos choose, the other half report.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from img2poem.corpus.imagery import lexicon
from img2poem.models.base import Photo
from img2poem.pipeline.asking import Ask
from img2poem.pipeline.channels import encode_asks
from img2poem.pipeline.pipeline import DEPTH, Pipeline
from img2poem.pipeline.rank import PHOTO_WEIGHTS, Weights, rank
from img2poem.pipeline.retrieve import retrieve
from img2poem.settings import Settings

SEEN = ("rerank", "named", "unseen", "cosine:description", "cosine:photo")
CHANNELS = (*SEEN, "amiss", "dark", "quoted", "known")
# Agreeing never counts against a verse, nor does naming what is not there count for it.
FIXED = (PHOTO_WEIGHTS.amiss, PHOTO_WEIGHTS.dark, PHOTO_WEIGHTS.quoted, PHOTO_WEIGHTS.known)
LEAST = np.array([0, 0, -8, 0, 0, *FIXED])
MOST = np.array([8, 8, 0, 8, 8, *FIXED])
Table = tuple[np.ndarray, np.ndarray]  # (candidates, channels) and (candidates,) worth


def worth(wanted: set[str], verse: str, translation: str) -> float:
    """What a verse is worth as the first answer: 1 if it names a wanted tag, 0.6 if only its
    rendering does, less a little for each tag it names that nobody labelled."""
    in_verse, rendered = lexicon().find_verse(verse), lexicon().find_modern(translation)
    if wanted & set(in_verse):
        value = 1.0 + 0.1 * min(2, len(wanted & set(in_verse)) - 1)
    elif wanted & set(rendered):
        value = 0.6
    else:
        return 0.0
    return value - 0.05 * min(4, len(set(in_verse) - wanted))


def table(pipeline: Pipeline, photo: Photo, wanted: set[str]) -> Table | None:
    """Every candidate's channels for a photo, as the pipeline computes them."""
    seen = pipeline.captioner.describe([photo])[0]
    if not seen.text:
        return None
    ask = Ask("", photo, seen)
    vectors = encode_asks([ask], [""], pipeline.embedder, pipeline.settings.hyde)[0]
    candidates = retrieve(pipeline.indexes, vectors, depth=DEPTH)
    matches = rank(candidates, ask.query, pipeline.reranker, k=60, seen=ask.imagery)
    if not matches:
        return None
    rows = [[m.channels.get(name, 0.0) for name in CHANNELS] for m in matches]
    value = [worth(wanted, m.verse.text, m.verse.translation) for m in matches]
    return np.array(rows), np.array(value)


def objective(weights: np.ndarray, tables: list[Table]) -> float:
    """Mean worth of the first verse."""
    return float(np.mean([value[np.argmax(rows @ weights)] for rows, value in tables]))


def search(tables: list[Table], start: np.ndarray, rounds: int) -> np.ndarray:
    """Random steps from the best so far, smaller and smaller."""
    rng = np.random.default_rng(0)
    best, most = start, objective(start, tables)
    for step in range(rounds):
        tried = best + rng.normal(0, 1.5 * (1 - step / rounds) + 0.1, len(best))
        tried = np.clip(tried, LEAST, MOST)
        found = objective(tried, tables)
        if found > most:
            best, most = tried, found
    return best


def calibrated(weights: np.ndarray, tables: list[Table]) -> tuple[float, float]:
    """Bias and scale with which the first verse's score is the chance that it names a tag."""
    top = np.array([(rows @ weights).max() for rows, _ in tables])
    hit = np.array([value[np.argmax(rows @ weights)] > 0.3 for rows, value in tables], float)
    scale, bias = 1.0, -float(top.mean())
    for _ in range(2000):
        p = 1 / (1 + np.exp(-(scale * top + bias)))
        scale -= 0.02 * float(((p - hit) * top).mean()) + 1e-4 * (scale - 1)
        bias -= 0.1 * float((p - hit).mean())
    return bias, max(scale, 0.1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--exclude", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3000)
    args = parser.parse_args()
    away = {json.loads(line)["file"] for line in args.exclude.read_text("utf-8").splitlines()}
    rows = [json.loads(line) for line in args.labels.read_text("utf-8").splitlines()]
    rows = [r for r in rows if r["split"] == "test" and r["tags"] and r["file"] not in away]
    # Evenly over what they show, or most of them would be of people.
    random.Random(0).shuffle(rows)
    counts: dict[str, int] = {}
    for row in rows:
        for tag in row["tags"]:
            counts[tag] = counts.get(tag, 0) + 1
    rows.sort(key=lambda r: min(counts[t] for t in r["tags"]))
    rows = rows[:: max(1, len(rows) // args.photos)]
    pipeline = Pipeline(Settings(metadata=False))
    tables: list[Table] = []
    for row in rows:
        photo = pipeline.open_photo(args.folder / row["file"])
        wanted = {p for t in row["tags"] for p in (t, *lexicon().parents(t))}
        found = table(pipeline, photo, wanted)
        if found is not None:
            tables.append(found)
    random.Random(1).shuffle(tables)
    half = len(tables) // 2
    now = np.array([getattr(PHOTO_WEIGHTS, n.split(":")[-1]) for n in CHANNELS])
    best = search(tables[:half], now, args.rounds)
    for name, weights in (("now", now), ("chosen", best)):
        print(f"{name}: choosing half {objective(weights, tables[:half]):.3f}, "
              f"other half {objective(weights, tables[half:]):.3f}")  # fmt: skip
    for number, channel in enumerate(CHANNELS):
        alone = np.zeros(len(CHANNELS))
        alone[number] = -1.0 if channel in ("unseen", "amiss", "dark") else 1.0
        without = best * (np.arange(len(CHANNELS)) != number)
        print(f"{channel}: alone {objective(alone, tables[half:]):.3f}, "
              f"without it {objective(without, tables[half:]):.3f}")  # fmt: skip
    ceiling = np.mean([value.max() for _, value in tables[half:]])
    print(f"best candidate always first: {ceiling:.3f}; {len(tables)} photos")
    bias, scale = calibrated(best, tables)
    chosen = replace(
        Weights(),
        bias=round(bias, 2),
        **{
            n.split(":")[-1]: round(float(w * scale), 2)
            for n, w in zip(CHANNELS, best, strict=True)
        },
    )
    print(asdict(chosen))


if __name__ == "__main__":
    main()
