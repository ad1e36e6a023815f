"""Where training batches come from: every source's queries, their texts and hard negatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from data import Data, Ids

# How often each source is drawn. Rows of four choices (CCPM's and our own) are what is
# measured; the rest is what users ask with (keywords, captions, paraphrases), where words are
# learnt (prose, the dictionary), and what is to stay away from every verse.
SHARES = {
    "four_way": 0.45,
    "occasions": 0.15,
    "paraphrases": 0.10,
    "starter": 0.08,
    "starter_keywords": 0.06,
    "short": 0.06,
    "captions": 0.05,
    "prose": 0.03,
    "keywords": 0.04,
    "not_poetry": 0.03,
    "dictionary": 0.03,
    "pairs": 0.02,
}
SIZES = {"four_way": 80, "prose": 128, "dictionary": 256, "not_poetry": 64}
SIZE = 112
MINED = 2  # of the texts mined for a row of four choices, so many in a batch
# Texts mined by teachers are harder than the wrong choices, of which then one does.
WRONG_BESIDE_TAUGHT = 1
CAPTIONS = 7


class Batch(NamedTuple):
    """Queries, the text of each, and as many hard negatives for every query (or none).

    Of ``not_poetry`` no text answers any query, and there are more of them. ``near`` is one more
    text a query (or none), which may well be right: only a teacher can say how far.
    """

    source: str
    queries: list[Ids]
    texts: list[Ids]
    hard: list[Ids]
    near: Sequence[Ids] = ()


class Draw:
    """Random batches: every row of a source once before any comes again.

    Args:
        data: what ``prepare_data.py`` wrote; a source that it lacks is not drawn from.
        seed: of the draw.
        near: by source, the texts that teachers hold near each row's query (``taught.Taught``).
    """

    def __init__(
        self, data: Data, seed: int, near: Mapping[str, Sequence[Sequence[Ids]]] | None = None
    ) -> None:
        self.data = data
        self.near = near or {}
        self.random = np.random.RandomState(seed)
        self.mined: list[Sequence[Ids]] = []
        self._left: dict[str, Ids] = {}
        self._with_keywords = {
            name: [i for i in range(rows) if len(data.keywords(name, i)) >= 2]
            for name, rows in (
                ("train", len(data["train_query"])),
                ("starter", len(data["starter_verse"])),
            )
        }
        sizes = {
            "four_way": len(data["train_query"]),
            "starter": len(data["starter_verse"]),
            "starter_keywords": len(self._with_keywords["starter"]),
            "prose": len(data["prose_query"]),
            "captions": len(data["caption"]) // CAPTIONS,
            "dictionary": len(data["word"]),
            "keywords": len(self._with_keywords["train"]),
            "short": len(data["short_query"]),
            "pairs": len(data["pairs_query"]),
            "not_poetry": len(data["not_poetry"]),
            "occasions": len(data["occasion"]),
            "paraphrases": len(data.numbers["same_ends"]),
        }
        self._sizes = {name: size for name, size in sizes.items() if size}
        shares = np.array([SHARES[name] for name in self._sizes])
        self._shares = shares / shares.sum()

    def batch(self) -> Batch:
        """The next batch."""
        source = str(self.random.choice(list(self._sizes), p=self._shares))
        rows = self._rows(source, SIZES.get(source, SIZE), self._sizes[source])
        batch = self._batch(source, rows)
        if source in self.near and source != "four_way":
            batch = batch._replace(near=[self._some(self.near[source][row], 1)[0] for row in rows])
        return batch

    def _batch(self, source: str, rows: list[int]) -> Batch:
        data = self.data
        if source == "four_way":
            return self._four_way(rows)
        if source == "not_poetry":
            verses = self.random.randint(0, len(data["starter_verse"]), 160)
            texts = [data["starter_rendering"][i] for i in verses[:80]]
            texts += [data["starter_verse"][i] for i in verses[80:]]
            return Batch(source, [data["not_poetry"][i] for i in rows], texts, [])
        if source == "occasions":
            texts = [self._quoted_for(phrase) for phrase in rows]
            return Batch(source, [data["occasion"][i] for i in rows], texts, [])
        if source == "paraphrases":
            both = [self._two_of("same", meaning) for meaning in rows]
            hard = [self._two_of("other", meaning)[0] for meaning in rows]
            return Batch(source, [one for one, _ in both], [other for _, other in both], hard)
        if source == "captions":
            both = [self._two_captions(photo) for photo in rows]
            return Batch(source, [one for one, _ in both], [other for _, other in both], [])
        if source == "keywords":
            rows = [self._with_keywords["train"][i] for i in rows]
            texts = [data.choices("train", i)[0] for i in rows]
            return Batch(source, [self._keyword_query("train", i) for i in rows], texts, [])
        if source == "starter_keywords":
            rows = [self._with_keywords["starter"][i] for i in rows]
            kinds = np.where(self.random.rand(len(rows)) < 0.4, "verse", "rendering")
            texts = [data[f"starter_{kind}"][i] for kind, i in zip(kinds, rows, strict=True)]
            return Batch(source, [self._keyword_query("starter", i) for i in rows], texts, [])
        query, text = {
            "starter": ("starter_rendering", "starter_verse"),
            "prose": ("prose_query", "prose_text"),
            "dictionary": ("meaning", "word"),
            "short": ("short_query", "short_verse"),
            "pairs": ("pairs_query", "pairs_verse"),
        }[source]
        return Batch(source, [data[query][i] for i in rows], [data[text][i] for i in rows], [])

    def _four_way(self, rows: list[int]) -> Batch:
        """A query, its verse, the three wrong choices, and texts mined for it."""
        four = [self.data.choices("train", i) for i in rows]
        taught = self.near.get("four_way")
        mined = taught or self.mined
        hard: list[Ids] = []
        for row, (_, wrong) in zip(rows, four, strict=True):
            hard += self._some(wrong, WRONG_BESIDE_TAUGHT) if taught else wrong
            if mined:
                hard += self._some(mined[row], MINED)
        queries = [self.data["train_query"][i] for i in rows]
        return Batch("four_way", queries, [right for right, _ in four], hard)

    def _some(self, texts: Sequence[Ids], count: int) -> list[Ids]:
        return [texts[i] for i in self.random.choice(len(texts), count, replace=False)]

    def _rows(self, name: str, wanted: int, size: int) -> list[int]:
        left = self._left.get(name, np.empty(0, int))
        while len(left) < wanted:
            left = np.concatenate([left, self.random.permutation(size)])
        self._left[name] = left[wanted:]
        return [int(i) for i in left[:wanted]]

    def _keyword_query(self, name: str, row: int) -> Ids:
        """Two to five content words, mostly in order and with commas between: a user's query."""
        words = self.data.keywords(name, row)
        count = min(len(words), self.random.randint(2, 6))
        chosen = list(self.random.choice(len(words), count, replace=False))
        if self.random.rand() < 0.6:
            chosen.sort()
        parts: list[Ids] = []
        for place, i in enumerate(chosen):
            if place and self.random.rand() < 0.85:
                parts.append(self.data.numbers["comma"])
            parts.append(words[i])
        return np.concatenate(parts)

    def _quoted_for(self, phrase: int) -> Ids:
        """A line that people quote for an occasion, or its rendering, or another such occasion."""
        lines = self.data.numbers["occasion_line"]
        line, kind = int(lines[phrase]), self.random.rand()
        first, last = np.searchsorted(lines, [line, line + 1])
        if kind < 0.35:
            return self.data["starter_verse"][line]
        if kind < 0.75 or last - first == 1:
            return self.data["starter_rendering"][line]
        other = self.random.randint(first, last - 1)
        return self.data["occasion"][int(other + (other >= phrase))]

    def _two_of(self, name: str, meaning: int) -> tuple[Ids, Ids]:
        """Two phrases of a line of the paraphrases; or one, twice, where there is one."""
        ends = self.data.numbers[f"{name}_ends"]
        start, end = int(ends[meaning - 1]) if meaning else 0, int(ends[meaning])
        one, other = self.random.choice(end - start, 2, replace=end - start < 2) + start
        return self.data[name][int(one)], self.data[name][int(other)]

    def _two_captions(self, photo: int) -> tuple[Ids, Ids]:
        """Two of the captions of one photo."""
        one, other = self.random.choice(CAPTIONS, 2, replace=False) + CAPTIONS * photo
        return self.data["caption"][int(one)], self.data["caption"][int(other)]
