"""From the reranker's agreement to a probability-like score, and the score that counts as close.

    pip install scikit-learn
    python ../ship_index.py
    python calibrate.py --dev OUT/dev.jsonl

Queries are searched in the shipped index, and the best twenty candidates read. Three logistic
regressions, for verses, modern renderings and occasions, map the best candidate's agreement to
how likely its query is one that poetry speaks of (development translations, keywords of them,
and what people type: ``everyday_fit.txt``) and not one that it does not (``not_poetry_fit.txt``,
which the embedder was trained to keep away as well). The
threshold is the highest that nineteen in twenty of the former reach when they are asked as a
user asks; how many of ``not_poetry_report.txt``, which nothing was fitted to, stay below it is
then printed.
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
from sklearn.linear_model import LogisticRegression

import img2poem
from img2poem.corpus.verse import Verse
from img2poem.datadir import shipped_index
from img2poem.index.store import VerseIndex
from img2poem.models.builtin.text import BuiltinEmbedder, BuiltinReranker
from img2poem.pipeline.pipeline import Pipeline
from img2poem.settings import Settings

Floats = npt.NDArray[np.float64]
HERE = Path(__file__).parent
DEPTH = 20
UNIT = 20.0
# So many of the queries that poetry speaks of must find something close.
REACH = 0.95
# A short query agrees by chance with some verse or rendering more than with an occasion, so
# their odds are worth less; chosen on judged answers (RESULTS.md).
WORTH = {"verse": 0.3, "rendering": 0.225, "occasion": 0.8}


class Corpus:
    """The starter corpus, searched by its shipped index as a user's queries search it."""

    def __init__(self) -> None:
        self._index = VerseIndex.open(shipped_index("ct"))
        self._embedder = BuiltinEmbedder()

    def candidates(self, queries: Sequence[str]) -> list[list[Verse]]:
        """The nearest verses of each query."""
        _, ids = self._index.search(self._embedder.encode(queries, kind="query"), DEPTH)
        return [self._index.verses(row) for row in ids]


def best_agreement(
    reranker: BuiltinReranker, queries: Sequence[str], found: list[list[Verse]]
) -> dict[str, Floats]:
    """For each query the highest agreement among its candidates, by what is read of them."""
    texts = {
        "verse": [[verse.text for verse in verses] for verses in found],
        "rendering": [[verse.translation for verse in verses] for verses in found],
        "occasion": [[p for verse in verses for p in verse.phrases] for verses in found],
    }
    return {
        kind: np.array(
            [reranker.agreement(q, t).max() for q, t in zip(queries, lists, strict=True)], float
        )
        for kind, lists in texts.items()
    }


def best_scores(queries: Sequence[str]) -> Floats:
    """For each query the score of the first verse that a user gets."""
    pipeline = Pipeline(Settings())
    return np.array([pipeline.query(text=query, k=1).matches[0].score for query in queries])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100, help="development queries of each kind")
    arguments = parser.parse_args()
    settings: dict[str, Any] = {"threshold": 0.0}
    reranker = BuiltinReranker(calibration=settings)
    corpus = Corpus()
    lines = arguments.dev.read_text(encoding="utf-8").splitlines()
    whole = [json.loads(line)["translation"] for line in lines[: 2 * arguments.rows]]
    asked = whole[: arguments.rows]
    asked += filter(None, ("，".join(keywords(text)[:4]) for text in whole[arguments.rows :]))
    asked += _queries("everyday_fit")
    foreign = _queries("not_poetry_fit")
    spoken = best_agreement(reranker, asked, corpus.candidates(asked))
    unspoken = best_agreement(reranker, foreign, corpus.candidates(foreign))
    truth = np.repeat([1, 0], [len(asked), len(foreign)])
    for kind in spoken:
        agreed = np.concatenate([spoken[kind], unspoken[kind]])[:, None]
        # Agreement spans a few tenths; the regression's penalty is meant for units.
        fitted = LogisticRegression(class_weight="balanced").fit(UNIT * agreed, truth)
        scale, offset = UNIT * float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
        worth = WORTH[kind]
        settings[kind] = {"scale": round(worth * scale, 4), "offset": round(worth * offset, 4)}
        print(f"{kind}: {settings[kind]}")
    target = Path(img2poem.__file__).parent / "weights" / "text" / "calibration.json"
    target.write_text(json.dumps(settings) + "\n")
    scores = {
        "not poetry, unseen": best_scores(_queries("not_poetry_report")),
        "development": best_scores(asked),
    }
    settings["threshold"] = round(float(np.quantile(scores["development"], 1 - REACH)), 3)
    target.write_text(json.dumps(settings) + "\n")
    print(f"threshold {settings['threshold']}")
    for label, reached in scores.items():
        below = (reached < settings["threshold"]).mean()
        quantiles = np.quantile(reached, [0.1, 0.5, 0.9]).round(3)
        print(f"{label}: {below:.2f} of {len(reached)} below it; quantiles .1 .5 .9 {quantiles}")


def _queries(name: str) -> list[str]:
    text = (HERE / f"{name}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip()]


if __name__ == "__main__":
    main()
