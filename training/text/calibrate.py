"""From the reranker's logits to a probability-like score, and the score that counts as close.

    python calibrate.py --dev OUT/dev.jsonl --pairs OUT/pairs_dev.jsonl \\
        --works ../../data/works.json --weights ../../img2poem/weights/text

Development queries (whole translations and keywords of them) are searched as a user's are and
the best twenty candidates read. Two logistic regressions, one for verses and one for modern
renderings, map a logit to how often such a candidate was the right one. The threshold is the
score that the best candidate in the starter corpus stays below for nine in ten queries that
poetry does not speak of (``not_poetry_fit.txt``); how often it holds is then printed for
``not_poetry_report.txt``, which nothing was fitted to, and for the development keywords.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from prepare_data import keywords

from img2poem.corpus.verse import Verse
from img2poem.models.builtin.text import BuiltinEmbedder, BuiltinReranker

Floats = npt.NDArray[np.float64]
HERE = Path(__file__).parent
DEPTH = 20
CANDIDATES = 50


def fit(logits: Floats, truth: Floats) -> tuple[float, float]:
    """Scale and offset of a logistic regression, by Newton's method."""
    features = np.stack([logits - logits.mean(), np.ones_like(logits)], 1)
    weights = np.array([1.0, 0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        gradient = features.T @ (truth - p) - 1e-3 * weights
        curve = (features * (p * (1 - p))[:, None]).T @ features + 1e-3 * np.eye(2)
        weights += np.linalg.solve(curve, gradient)
    return float(weights[0]), float(weights[1] - weights[0] * logits.mean())


def candidates(
    embedder: BuiltinEmbedder,
    reranker: BuiltinReranker,
    asked: Sequence[tuple[str, str]],
    pool: list[str],
) -> tuple[Floats, Floats]:
    """Logits of the best candidates of each query, and whether each is the right one."""
    vectors = embedder.encode(pool, kind="passage")
    queries = embedder.encode([query for query, _ in asked], kind="query")
    logits, truth = [], []
    for (query, right), vector in zip(asked, queries, strict=True):
        best = np.argsort(-(vectors @ vector))[:DEPTH]
        logits.append(reranker.logits(query, [pool[i] for i in best]))
        truth.append([pool[i] == right for i in best])
    return np.concatenate(logits).astype(float), np.concatenate(truth).astype(float)


def best_scores(
    embedder: BuiltinEmbedder,
    reranker: BuiltinReranker,
    queries: Sequence[str],
    verses: list[Verse],
) -> Floats:
    """For each query the best score among its candidates in a corpus, searched both ways."""
    spaces = [
        embedder.encode([verse.text for verse in verses], kind="passage"),
        embedder.encode([verse.translation for verse in verses], kind="passage"),
    ]
    found = []
    for query, vector in zip(queries, embedder.encode(queries, kind="query"), strict=True):
        cosines = np.maximum(*(space @ vector for space in spaces))
        best = np.argsort(-cosines)[:CANDIDATES]
        found.append(float(reranker.score(query, [verses[i] for i in best]).max()))
    return np.array(found)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def works(path: Path) -> list[Verse]:
    """The starter corpus's lines with their renderings."""
    return [
        Verse(text, translation)
        for work in json.loads(path.read_text(encoding="utf-8"))
        for text, translation in zip(
            work["Content"].split("\n"), work["Translation"].split("\n"), strict=True
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("--dev", "--pairs", "--works", "--weights"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--rows", type=int, default=400, help="development queries of each kind")
    arguments = parser.parse_args()
    target = arguments.weights / "calibration.json"
    plain = {"scale": 1.0, "offset": 0.0}
    settings: dict[str, Any] = {"verse": plain, "rendering": plain, "threshold": 0.0}
    target.write_text(json.dumps(settings))
    embedder, reranker = BuiltinEmbedder(), BuiltinReranker()
    dev, pairs = read(arguments.dev)[: arguments.rows], read(arguments.pairs)
    corpus = works(arguments.works)
    queries = [(row["translation"], row["choices"][row["answer"]]) for row in dev]
    short = [("，".join(keywords(query)[:4]), verse) for query, verse in queries]
    pool = list(dict.fromkeys(choice for row in dev for choice in row["choices"]))
    kinds = {"verse": candidates(embedder, reranker, [*queries, *short], pool)}
    modern = [("，".join(keywords(row["translation"])[:4]), row["translation"]) for row in pairs]
    renderings = list(
        dict.fromkeys([r["translation"] for r in pairs] + [v.translation for v in corpus])
    )
    kinds["rendering"] = candidates(embedder, reranker, modern, renderings)
    for kind, (logits, truth) in kinds.items():
        scale, offset = fit(logits, truth)
        settings[kind] = {"scale": round(scale, 4), "offset": round(offset, 4)}
        print(f"{kind}: {settings[kind]}, {int(truth.sum())} right among {len(truth)}")
    target.write_text(json.dumps(settings))
    reranker = BuiltinReranker()
    fitted = best_scores(embedder, reranker, _queries("fit"), corpus)
    settings["threshold"] = round(float(np.quantile(fitted, 0.9)), 3)
    target.write_text(json.dumps(settings) + "\n")
    print(f"threshold {settings['threshold']}")
    unseen = best_scores(embedder, reranker, _queries("report"), corpus)
    print(f"not poetry, below it: {(unseen < settings['threshold']).mean():.2f} of {len(unseen)}")
    asked = [query for query, _ in short[:100]]
    near = best_scores(embedder, reranker, asked, corpus)
    print(f"keywords of verses, at or above it: {(near >= settings['threshold']).mean():.2f}")
    for name, values in (("not poetry", unseen), ("keywords", near)):
        quantiles = np.quantile(values, [0.1, 0.5, 0.9]).round(3)
        print(f"{name}: best score, quantiles .1 .5 .9: {quantiles}")


def _queries(kind: str) -> list[str]:
    return (HERE / f"not_poetry_{kind}.txt").read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    main()
