"""How well photos are seen: tags, captions and verses, for any captioner.

    python benchmarks/photo_quality.py tags LABELS.jsonl FOLDER [--captioner builtin]
    python benchmarks/photo_quality.py captions CAPTIONS.jsonl FOLDER
    python benchmarks/photo_quality.py verses training/vision/verse_eval.jsonl FOLDER [--list]

``tags``: mean average precision over the test split, against the share of positives, which
is what guessing reaches. ``captions``: recall between the test photos and their five human
captions each. ``verses``: how often the first verse names one of the photo's main images,
against verses drawn at random.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from img2poem.corpus.imagery import lexicon
from img2poem.models import registry
from img2poem.models.base import Photo
from img2poem.pipeline.photo import open_photo
from img2poem.pipeline.pipeline import Pipeline
from img2poem.settings import Settings

BATCH = 32


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """One object a line."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]


def photos(model: Any, files: list[str], folder: Path) -> list[Photo]:
    """Opened as the pipeline opens them, but without their metadata."""
    side = getattr(model, "photo_side", 1024)
    return [open_photo(folder / file, side=side, metadata=False) for file in files]


def seen_tags(model: Any, files: list[str], folder: Path) -> list[dict[str, float]]:
    """Every tag's probability; those a captioner does not report count as 0."""
    found: list[dict[str, float]] = []
    for start in range(0, len(files), BATCH):
        batch = photos(model, files[start : start + BATCH], folder)
        if hasattr(model, "tag_scores"):
            found += model.tag_scores(batch)
        else:
            found += [{i.tag: i.score for i in d.imagery} for d in model.describe(batch)]
    return found


def average_precision(truth: list[bool], scores: list[float]) -> float:
    """Area under the precision-recall steps; ties count against the scorer."""
    hits = np.array(truth)[np.lexsort((truth, [-s for s in scores]))]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def tags(args: argparse.Namespace) -> None:
    """Print the average precision of every tag with five test photos or more."""
    rows = [r for r in read_jsonl(args.rows) if r["split"] == "test"][: args.limit]
    model = registry.load("captioner", args.captioner)
    found = seen_tags(model, [r["file"] for r in rows], args.folder)
    results = []
    for tag in sorted({t for r in rows for t in r["tags"]}):
        known = [(tag in r["tags"], s.get(tag, 0.0)) for r, s in zip(rows, found, strict=True)
                 if tag in r["tags"] or tag not in r["unknown"]]  # fmt: skip
        truth, scores = zip(*known, strict=True)
        if sum(truth) >= 5:
            ap = average_precision(list(truth), list(scores))
            results.append((tag, ap, sum(truth), sum(truth) / len(truth)))
    for tag, ap, count, _ in sorted(results, key=lambda r: r[1]):
        print(f"{tag}\t{ap:.3f}\t{count} photos")
    mean = np.mean([r[1] for r in results])
    chance = np.mean([r[3] for r in results])
    print(f"mAP {mean:.4f} over {len(results)} tags, {len(rows)} photos; "
          f"chance {chance:.4f}, ratio {mean / chance:.1f}")  # fmt: skip


def captions(args: argparse.Namespace) -> None:
    """Print recall at 1, 5 and 10 both ways, through the photo vectors."""
    rows = [r for r in read_jsonl(args.rows) if r["split"] == "test"][: args.limit]
    pipeline = Pipeline(Settings(captioner=args.captioner))
    model = pipeline.captioner
    vectors = []
    for start in range(0, len(rows), BATCH):
        batch = photos(model, [r["file"] for r in rows[start : start + BATCH]], args.folder)
        described = model.describe(batch)
        vectors += [d.vector for d in described if d.vector is not None]
    texts = [text for r in rows for text in r["captions"]]
    owner = np.repeat(np.arange(len(rows)), [len(r["captions"]) for r in rows])
    similar = np.stack(vectors) @ pipeline.embedder.encode(texts, kind="query").T
    own = similar[owner, np.arange(len(texts))]
    best = np.full(len(rows), -np.inf, np.float32)
    np.maximum.at(best, owner, own)
    to_text = (similar > best[:, None]).sum(1)
    to_photo = (similar > own[None, :]).sum(0)
    for name, rank, chance in (
        ("photo to text", to_text, 5 / len(texts)), ("text to photo", to_photo, 1 / len(rows))
    ):  # fmt: skip
        at = [float((rank < k).mean()) for k in (1, 5, 10)]
        print(f"{name}: recall@1/5/10 {at[0]:.3f} {at[1]:.3f} {at[2]:.3f}; "
              f"at 1 {at[0] / chance:.0f} times chance")  # fmt: skip


def verses(args: argparse.Namespace) -> None:
    """Print how often the first verse, or its rendering, names what the photo shows."""
    rows = read_jsonl(args.rows)[: args.limit]
    pipeline = Pipeline(Settings(captioner=args.captioner, metadata=False))
    subjects: dict[str, list[bool]] = defaultdict(list)
    by_verse: list[bool] = []
    firsts: list[tuple[set[str], set[str]]] = []
    close = 0
    for row in rows:
        result = pipeline.query(args.folder / row["file"], k=1)
        match, main = next(iter(result.matches), None), set(row["main"])
        in_verse = set(lexicon().find_verse(match.verse.text)) if match else set()
        rendered = set(lexicon().find_modern(match.verse.translation)) if match else set()
        firsts.append((in_verse, rendered))
        by_verse.append(bool(main & in_verse))
        subjects[row["subject"]].append(bool(main & (in_verse | rendered)))
        close += result.close
        if args.list:
            mark = "+" if by_verse[-1] else "~" if subjects[row["subject"]][-1] else "-"
            said = result.description.text if result.description else ""
            line = f"{match.score:.2f} {match.verse.text}" if match else "nothing"
            print(f"{mark} {row['file']} [{' '.join(row['main'])}]\n    {said}\n    {line}")
    total = np.mean([hit for hits in subjects.values() for hit in hits])
    # Chance: the verses of the other photos, dealt out at random.
    rng = random.Random(0)
    dealt = [rng.choice(firsts) for _ in range(20) for _ in rows]
    wanted = [set(row["main"]) for _ in range(20) for row in rows]
    chance = np.mean([bool(m & (v | r)) for m, (v, r) in zip(wanted, dealt, strict=True)])
    groups = sorted(((np.mean(hits), name) for name, hits in subjects.items()))
    tenth = groups[: max(1, round(len(groups) / 10))]
    print(
        f"{len(rows)} photos: verse or rendering names {total:.3f} (dealt at random "
        f"{chance:.3f}, ratio {total / chance:.1f}), verse names {np.mean(by_verse):.3f}"
    )
    print(
        f"worst tenth of {len(groups)} subjects {np.mean([g for g, _ in tenth]):.3f}: "
        + ", ".join(f"{name} {share:.2f}" for share, name in groups[:8])
    )
    print(f"called close: {close / len(rows):.3f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["tags", "captions", "verses"])
    parser.add_argument("rows", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--captioner", default="builtin")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--list", action="store_true", help="print every verse, to read by eye")
    args = parser.parse_args()
    {"tags": tags, "captions": captions, "verses": verses}[args.what](args)


if __name__ == "__main__":
    main()
