"""How verse, rendering and occasion are to be weighed against each other, by judged answers.

    python weigh.py

``judged.tsv`` (our own, CC0) has queries that people might type, verses that some form of the
ranking found for them, and how well each fits: 1, 0.5 or 0, as one reader saw it. For some
weights this prints what the first verse is worth, the best of three, and the mean of three. Verses
that nobody judged count 0.
Set ``WORTH`` in calibrate.py and ``NAMED_IN_WORDS`` in pipeline/rank.py by it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from importlib.resources import files
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from calibrate import WORTH

from img2poem.models.builtin.text import SURE, BuiltinReranker
from img2poem.pipeline.pipeline import Pipeline
from img2poem.settings import Settings

Floats = npt.NDArray[np.float64]
READ = 60
VERSE, RENDERING, OCCASION = (0.3, 0.4, 1.0), (0.225, 0.3, 0.4, 1.0), (0.6, 1.0)
NAMED = (0.5, 1.0, 1.8)


def answers() -> list[tuple[Floats, Floats]]:
    """For each query, what its candidates are worth and (candidates, 4) what speaks for each:
    the calibrated odds of verse, rendering and occasion, undone ``WORTH``, and shared imagery."""
    marks: dict[str, dict[str, float]] = defaultdict(dict)
    for line in Path(__file__).with_name("judged.tsv").read_text(encoding="utf-8").splitlines():
        query, verse, mark = line.split("\t")
        marks[query][verse] = float(mark)
    calibration = json.loads((files("img2poem") / "weights/text/calibration.json").read_bytes())
    pipeline, reranker = Pipeline(Settings()), BuiltinReranker()
    found = []
    for query, worth in marks.items():
        rows, values = [], []
        for match in pipeline.query(text=query, k=READ).matches:
            verse = match.verse
            said = {"verse": [verse.text], "rendering": [verse.translation]}
            said["occasion"] = verse.phrases
            row = []
            for kind, texts in said.items():
                best = reranker.agreement(query, texts).max() if texts else -np.inf
                fitted = calibration[kind]
                row.append((best * fitted["scale"] + fitted["offset"]) / WORTH[kind])
            rows.append([*row, match.channels.get("named", 0.0)])
            values.append(worth.get(verse.text, 0.0))
        found.append((np.array(values), np.array(rows)))
    return found


def main() -> None:
    found = answers()
    print("verse  rendering  occasion  named   first  best of three  mean of three")
    for *weights, named in product(VERSE, RENDERING, OCCASION, NAMED):
        shown = []
        for values, rows in found:
            odds = np.logaddexp.reduce(rows[:, :3] * weights, axis=1)
            odds = np.minimum(odds, SURE) + np.log1p(np.maximum(odds - SURE, 0.0))
            order = np.argsort(-(odds + named * rows[:, 3]), kind="stable")[:3]
            shown.append(values[order])
        first = np.mean([row[0] for row in shown])
        best, mean = np.mean([row.max() for row in shown]), np.mean([row.mean() for row in shown])
        shares = f"{weights[0]:5} {weights[1]:10} {weights[2]:9} {named:6}"
        print(f"{shares}   {first:.3f}  {best:13.3f}  {mean:13.3f}")


if __name__ == "__main__":
    main()
