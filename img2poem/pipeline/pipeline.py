"""Describe, retrieve, rerank, generate: the one path from a photo or words to verses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from img2poem.errors import UserError
from img2poem.models import registry
from img2poem.models.base import Captioner, Description, Embedder, Generator, Photo, Reranker
from img2poem.models.registry import ModelOptions
from img2poem.pipeline.asking import Ask
from img2poem.pipeline.channels import encode_asks, sees
from img2poem.pipeline.library import Reporter, Silent, build, open_index
from img2poem.pipeline.named import named, only_poet
from img2poem.pipeline.photo import check_file, open_photo
from img2poem.pipeline.rank import PHOTO_WEIGHTS, rank
from img2poem.pipeline.results import Match, Result, Source
from img2poem.pipeline.retrieve import Candidate, check_filter, retrieve
from img2poem.pipeline.timings import Timings, timed
from img2poem.pipeline.write import Writer, Written
from img2poem.settings import Settings, count

if TYPE_CHECKING:
    from img2poem.index.build import BuildReport
    from img2poem.index.store import Filter, VerseIndex
    from img2poem.models.base import FloatArray

DEPTH = 60  # verses each channel brings from each corpus, at least


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

    @cached_property
    def _describes(self) -> bool:
        # An embedder that sees needs no description, but whatever writes a verse does.
        return not sees(self.embedder) or bool(self.settings.generator)

    @cached_property
    def photo_side(self) -> int:
        """Pixels the model that looks at photos wants their shorter side to have."""
        return int(
            getattr(self.captioner if self._describes else self.embedder, "photo_side", 1024)
        )

    def describe(self, photos: Sequence[Photo]) -> Sequence[Description | None]:
        """What is in each photo; None where the embedder looks for itself."""
        return self.captioner.describe(photos) if self._describes else [None] * len(photos)

    def open_photo(self, path: str | Path) -> Photo:
        """Decode a photo as small as the captioner allows; raises UserError."""
        return open_photo(
            Path(path),
            side=self.photo_side,
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
            author, dynasty, kind: only verses of this poet, dynasty, kind, in either script.

        Returns:
            A Result with up to k matches, best first.

        Raises:
            UserError: nothing to ask with, a photo that cannot be read, a poet no corpus
                has, a model or index that cannot be used, or settings that contradict.
        """
        from img2poem.index.store import Filter

        with timed() as timings:
            if photo is None and not text.strip():
                raise UserError(
                    "There is nothing to look for.",
                    'Give a photo, words, or both: img2poem query photo.jpg "雪后初晴"',
                    exit_code=2,
                )
            if photo is not None:
                check_file(Path(photo))  # before a model is loaded for it
            where = Filter(author=author, dynasty=dynasty, kind=kind)
            words = text.strip()
            if words:
                with timings.stage("load"):
                    where, words = self.only_poet(where, words, photo=photo is not None)
            ask = Ask(words)
            if photo is not None:
                with timings.stage("open"):
                    opened = self.open_photo(photo)
                with timings.stage("describe"):
                    ask = Ask(ask.text, opened, self.describe([opened])[0])
            results = self._answer([ask], timings, k=k, where=where)
        return replace(results[0], text=text.strip(), timings=dict(timings.seconds))

    def only_poet(self, where: Filter, text: str, *, photo: bool) -> tuple[Filter, str]:
        """Take a poet named in words (苏轼 想家) as one asked for by option."""
        return only_poet(self.indexes, where, text, photo=photo, notice=self.reporter.notice)

    def answer(
        self, asks: Sequence[Ask], *, k: int | None = None, where: Filter | None = None
    ) -> list[Result]:
        """Answer several questions at once; what they share is computed in batches.

        Every Result's timings are those of them all.
        """
        with timed() as timings:
            results = self._answer(asks, timings, k=k, where=where)
        return [replace(result, timings=dict(timings.seconds)) for result in results]

    def _answer(
        self,
        asks: Sequence[Ask],
        timings: Timings,
        *,
        k: int | None,
        where: Filter | None,
    ) -> list[Result]:
        if k is not None:
            try:
                count(k)
            except (TypeError, ValueError) as error:
                raise UserError(f"k = {k!r} does not fit: {error}.", exit_code=2) from error
        with timings.stage("load"):
            indexes = self.indexes
            if where:
                where = named(indexes, where)
                check_filter(indexes, where)
        drafts: list[Written | None] = [None] * len(asks)
        if self.settings.hyde != "off" and not where:  # for one poet nothing is written
            self._refuse_verse_for_photo(asks)
            with timings.stage("write"):
                drafts = [self._writer.write(ask.query, ask.photo) for ask in asks]
        with timings.stage("embed"):
            verses = [draft.verse.text if draft else "" for draft in drafts]
            channels = encode_asks(asks, verses, self.embedder, self.settings.hyde)
        results = []
        depth = max(DEPTH, 2 * (k or self.settings.k))
        for ask, draft, vectors in zip(asks, drafts, channels, strict=True):
            with timings.stage("search"):
                words = "" if self._by_sight(ask) else ask.words
                candidates = retrieve(
                    indexes,
                    vectors,
                    depth=depth,
                    words=words,
                    citing="" if ask.photo else words,
                    where=where,
                )
            with timings.stage("rerank"):
                matches = self._rank(ask, candidates, k or self.settings.k)
            if not where and self._wants_verse(ask, matches):
                with timings.stage("write"):
                    written = draft or self._writer.write(ask.query, ask.photo)
                    if written:
                        candidates.append(self._as_candidate(written, vectors))
                        matches = self._rank(ask, candidates, k or self.settings.k)
                        self._tell_if_missing(written, matches)
            results.append(self._result(ask, matches))
        return results

    def _refuse_verse_for_photo(self, asks: Sequence[Ask]) -> None:
        """A photo that is compared with the verses itself has to search itself."""
        if self.settings.hyde == "only" and any(self._by_sight(ask) for ask in asks):
            raise UserError(
                f"With {self.settings.embedder} the photo itself is compared with the verses, "
                "which --hyde only would leave out.",
                "Use --hyde concat or off, or another embedder.",
                exit_code=2,
            )

    @cached_property
    def _writer(self) -> Writer:
        if self.generator is None:
            raise UserError(
                "There is no generator to write a verse.",
                "Name one, e.g. --generator openai:MODEL or hf:MODEL.",
                exit_code=2,
            )
        return Writer(self.generator, self.indexes, self.reporter.notice)

    def _wants_verse(self, ask: Ask, matches: Sequence[Match]) -> bool:
        """Whether to write one: retrieve first, write where nothing is close."""
        if self.settings.generate != "auto":
            return self.settings.generate == "always"
        close = any(match.score >= self._min_score(ask) for match in matches)
        return bool(self.settings.generator) and not close

    def _tell_if_missing(self, written: Written, matches: Sequence[Match]) -> None:
        if not any(match.verse.text == written.verse.text for match in matches):
            self.reporter.notice(
                f"a verse was written, but others fit better: {written.verse.text}"
            )

    def _as_candidate(self, written: Written, vectors: Mapping[str, FloatArray]) -> Candidate:
        """A written verse beside the retrieved ones, measured as they are."""
        vector = self.embedder.encode([written.verse.text], kind="passage")[0]
        cosines = {name: float(vector @ asked) for name, asked in vectors.items()}
        source: Source = "retrieved" if written.corpus else "generated"
        return Candidate(written.verse, written.corpus, cosines, source)

    def _by_sight(self, ask: Ask) -> bool:
        return ask.photo is not None and sees(self.embedder)

    def _rank(self, ask: Ask, candidates: list[Candidate], k: int) -> list[Match]:
        if self._by_sight(ask):
            return rank(candidates, ask.words, None, k=k)
        return rank(candidates, ask.query, self.reranker, k=k, seen=ask.imagery, words=ask.words)

    def _min_score(self, ask: Ask) -> float:
        if self.settings.min_score is not None:
            return self.settings.min_score
        if self._by_sight(ask):
            return 0.0
        if ask.imagery is not None:
            return PHOTO_WEIGHTS.close
        return float(getattr(self.reranker, "threshold", 0.0))

    def _result(self, ask: Ask, matches: list[Match]) -> Result:
        chosen = self.settings
        models = {"embedder": chosen.embedder}
        if not self._by_sight(ask):
            models["reranker"] = chosen.reranker
        if ask.description is not None:
            models["captioner"] = chosen.captioner
        if any(match.source == "generated" for match in matches):
            models["generator"] = chosen.generator
        return Result(
            matches=tuple(matches),
            description=ask.description,
            photo=ask.photo.path if ask.photo else None,
            text=ask.text,
            min_score=self._min_score(ask),
            models=models,
        )
