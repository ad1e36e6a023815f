"""Describe, retrieve, rerank, generate: the one path from a photo or words to verses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from img2poem.errors import UserError
from img2poem.models import registry
from img2poem.models.base import Captioner, Description, Embedder, Generator, Photo, Reranker
from img2poem.models.registry import ModelOptions
from img2poem.pipeline.library import Reporter, Silent, build, open_index
from img2poem.pipeline.photo import open_photo
from img2poem.pipeline.rank import rank
from img2poem.pipeline.results import Match, Result
from img2poem.pipeline.retrieve import Candidate, check_filter, retrieve
from img2poem.settings import Settings

if TYPE_CHECKING:
    from img2poem.index.build import BuildReport
    from img2poem.index.store import VerseIndex
    from img2poem.models.base import FloatArray

DEPTH = 60  # verses each channel brings from each corpus


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: words, or a described photo, or both."""

    text: str = ""
    photo: Photo | None = None
    description: Description | None = None


class Pipeline:
    """Photos and words to verses. Models and indexes load once, when first needed.

    Args:
        settings: which models, which corpora, how many verses.
        reporter: told about first-use builds and notices.

    Example:
        >>> from img2poem.settings import Settings
        >>> Pipeline(Settings(k=1)).query(text="月光照在床前的地上").matches[0].verse.author
        '李白'
    """

    def __init__(self, settings: Settings, reporter: Reporter | None = None) -> None:
        self.settings = settings
        self.reporter = reporter or Silent()

    @cached_property
    def _options(self) -> ModelOptions:
        chosen = self.settings
        return ModelOptions(chosen.device, chosen.api_base, chosen.translator)

    @cached_property
    def captioner(self) -> Captioner:
        """The model that describes photos."""
        model: Captioner = registry.load("captioner", self.settings.captioner, self._options)
        return model

    @cached_property
    def embedder(self) -> Embedder:
        """The model that turns text into vectors."""
        model: Embedder = registry.load("embedder", self.settings.embedder, self._options)
        return model

    @cached_property
    def reranker(self) -> Reranker:
        """The model that orders candidates."""
        model: Reranker = registry.load("reranker", self.settings.reranker, self._options)
        return model

    @cached_property
    def generator(self) -> Generator | None:
        """The model that writes verses, if one is set."""
        if not self.settings.generator:
            return None
        model: Generator = registry.load("generator", self.settings.generator, self._options)
        return model

    @cached_property
    def indexes(self) -> dict[str, VerseIndex]:
        """The corpora's indexes, in the order of the settings."""
        return {
            corpus: open_index(
                corpus, self.embedder, data=self.settings.data, reporter=self.reporter
            )
            for corpus in self.settings.corpus
        }

    def build_indexes(self, *, force: bool = False) -> dict[str, BuildReport]:
        """Build the index of every corpus in the settings; raises UserError."""
        return {
            corpus: build(
                corpus,
                self.embedder,
                data=self.settings.data,
                reporter=self.reporter,
                force=force,
            )
            for corpus in self.settings.corpus
        }

    def open_photo(self, path: str | Path) -> Photo:
        """Decode a photo as small as the captioner allows; raises UserError."""
        return open_photo(
            Path(path),
            side=getattr(self.captioner, "photo_side", 1024),
            max_pixels=self.settings.max_pixels,
            metadata=self.settings.metadata,
        )

    def query(
        self,
        photo: str | Path | None = None,
        text: str = "",
        *,
        k: int | None = None,
        author: str = "",
        dynasty: str = "",
        kind: str = "",
    ) -> Result:
        """The verses that say what a photo, or words, or both say.

        Args:
            photo: path of a photo.
            text: words; with a photo they add what it does not show.
            k: how many verses; the setting's number by default.
            author, dynasty, kind: only verses of this poet, dynasty, kind.

        Returns:
            A Result with up to k matches, best first.

        Raises:
            UserError: nothing to ask with, a photo that cannot be read, a poet no corpus
                has, or a model or index that cannot be used.
        """
        with _timed() as timings:
            if photo is None and not text.strip():
                raise UserError(
                    "There is nothing to look for.",
                    'Give a photo, words, or both: img2poem query photo.jpg "雪后初晴"',
                    exit_code=2,
                )
            ask = Ask(text.strip())
            if photo is not None:
                with timings.stage("open"):
                    opened = self.open_photo(photo)
                with timings.stage("describe"):
                    ask = Ask(ask.text, opened, self.captioner.describe([opened])[0])
            return self._answer([ask], timings, k=k, author=author, dynasty=dynasty, kind=kind)[0]

    def answer(self, asks: Sequence[Ask], *, k: int | None = None) -> list[Result]:
        """Answer several questions at once; what they share is computed in batches."""
        with _timed() as timings:
            return self._answer(asks, timings, k=k)

    def _answer(
        self,
        asks: Sequence[Ask],
        timings: Timings,
        *,
        k: int | None,
        author: str = "",
        dynasty: str = "",
        kind: str = "",
    ) -> list[Result]:
        from img2poem.index.store import Filter

        where = Filter(author=author, dynasty=dynasty, kind=kind)
        with timings.stage("load"):
            indexes = self.indexes
            check_filter(indexes, where)
        with timings.stage("embed"):
            channels = self._channels(asks)
        results = []
        for ask, vectors in zip(asks, channels, strict=True):
            with timings.stage("search"):
                candidates = retrieve(indexes, vectors, depth=DEPTH, where=where)
            with timings.stage("rerank"):
                matches = self._rank(ask, candidates, k or self.settings.k)
            results.append(self._result(ask, matches, timings))
        return results

    def _channels(self, asks: Sequence[Ask]) -> list[dict[str, FloatArray]]:
        """For each question, channel name to a unit vector in the embedder's space."""
        texts: list[tuple[int, str, str]] = []
        for number, ask in enumerate(asks):
            if ask.text:
                texts.append((number, "words", ask.text))
            if ask.description and ask.description.text:
                texts.append((number, "description", ask.description.text))
                if ask.text:
                    texts.append((number, "both", f"{ask.text}，{ask.description.text}"))
        channels: list[dict[str, FloatArray]] = [{} for _ in asks]
        if texts:
            encoded = self.embedder.encode([text for _, _, text in texts], kind="query")
            for (number, name, _), vector in zip(texts, encoded, strict=True):
                channels[number][name] = vector
        for number, ask in enumerate(asks):
            vector = self._photo_vector(ask)
            if vector is not None:
                channels[number]["photo"] = vector
        return channels

    def _photo_vector(self, ask: Ask) -> FloatArray | None:
        """The photo in the embedder's own space, where either model can put it there."""
        if ask.photo is not None and hasattr(self.embedder, "encode_photos"):
            vectors: FloatArray = self.embedder.encode_photos([ask.photo])
            return vectors[0]
        seen = ask.description
        if seen and seen.vector is not None and seen.vector_space == self.embedder.fingerprint:
            return seen.vector
        return None

    def _rank(self, ask: Ask, candidates: list[Candidate], k: int) -> list[Match]:
        described = ask.description.text if ask.description else ""
        query = "，".join(part for part in (ask.text, described) if part)
        seen = {i.tag: i.score for i in ask.description.imagery} if ask.description else None
        return rank(candidates, query, self.reranker, k=k, seen=seen)

    def _result(self, ask: Ask, matches: list[Match], timings: Timings) -> Result:
        chosen = self.settings
        threshold = chosen.min_score
        if threshold is None:
            threshold = float(getattr(self.reranker, "threshold", 0.0))
        models = {"embedder": chosen.embedder, "reranker": chosen.reranker}
        if ask.photo is not None:
            models["captioner"] = chosen.captioner
        return Result(
            matches=tuple(matches),
            description=ask.description,
            photo=ask.photo.path if ask.photo else None,
            text=ask.text,
            min_score=threshold,
            models=models,
            timings=timings.seconds,
        )


class Timings:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


@contextmanager
def _timed() -> Iterator[Timings]:
    timings = Timings()
    with timings.stage("total"):
        yield timings
