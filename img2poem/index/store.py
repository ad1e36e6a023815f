"""An index on disk: vectors and verses in one folder, opened without reading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from img2poem.corpus.verse import Verse
from img2poem.errors import UserError
from img2poem.index.citations import cited
from img2poem.index.manifest import VECTORS, VERSES, Manifest, damaged, rebuild
from img2poem.index.occasions import OccasionSearch
from img2poem.index.quantise import faiss, inverted_file, is_exact, search_parameters
from img2poem.index.verses import VerseTable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Ids = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a verse must have; an empty field asks for nothing."""

    author: str = ""
    dynasty: str = ""
    kind: str = ""

    def __bool__(self) -> bool:
        return bool(self.author or self.dynasty or self.kind)


class VerseIndex:
    """Verses and their vectors, searched by cosine similarity. Made by ``open``."""

    def __init__(self, folder: Path, manifest: Manifest, index: Any, verses: VerseTable) -> None:
        self.folder = folder
        self.manifest = manifest
        self._index = index
        self._verses = verses
        self._mask = lru_cache(maxsize=8)(self._make_mask)

    @classmethod
    def open(
        cls, folder: Path, embedder_fingerprint: str | None = None, embedder_name: str | None = None
    ) -> VerseIndex:
        """Open an index; its files are mapped into memory, not read.

        Args:
            folder: the index.
            embedder_fingerprint: of the embedder that will make the queries; None opens
                an index of any embedder.
            embedder_name: that embedder's name, for the error message.

        Raises:
            UserError: no index there, a damaged one, one of another format or of another
                embedder; the hint names the command that rebuilds it.
        """
        manifest = Manifest.read(folder)
        if embedder_fingerprint not in (None, manifest.fingerprint):
            raise UserError(
                f"The index {folder} was built with the embedder {manifest.embedder} "
                f"({manifest.fingerprint[:8]}), not {embedder_name or 'the one in use'} "
                f"({str(embedder_fingerprint)[:8]}).",
                rebuild(manifest.corpus, folder, embedder_name or manifest.embedder),
            )
        manifest.check_files(folder, thorough=False)
        try:
            verses = VerseTable(folder / VERSES)
            index = _read_faiss(folder / VECTORS)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            problem = "its files cannot be read"
            raise damaged(folder, problem, manifest.corpus, manifest.embedder) from error
        sizes = (index.ntotal, index.d, len(verses))
        whole = sizes == (manifest.count, manifest.dim, manifest.count)
        if not whole or is_exact(index) != (not manifest.nprobe):
            problem = "its files do not belong together"
            raise damaged(folder, problem, manifest.corpus, manifest.embedder)
        return cls(folder, manifest, index, verses)

    def __len__(self) -> int:
        return self.manifest.count

    def verify(self) -> None:
        """Read every byte of the index; raise UserError if one is not as it was built."""
        self.manifest.check_files(self.folder, thorough=True)

    def search(self, vectors: Floats, k: int, *, where: Filter | None = None) -> tuple[Floats, Ids]:
        """The nearest verses.

        Args:
            vectors: unit vectors, float32 (n, dim).
            k: how many verses for each.
            where: only verses that have this; there are k of them if the corpus has k.

        Returns:
            Cosines float32 (n, k), best first, and verse numbers int64 (n, k); places left
            over because the corpus has too few verses hold number -1.
        """
        import numpy as np

        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.manifest.dim:
            raise ValueError(f"vectors must be (n, {self.manifest.dim}), not {queries.shape}")
        selector, share = None, 1.0
        if where:
            mask = self._mask(where)
            share = float(mask.mean()) if len(mask) else 0.0
            selector = _selector(mask)
        scores, ids = self._index.search(queries, k, params=self._parameters(selector, share))
        return scores, ids

    def cosines(self, vectors: Floats, ids: Sequence[int] | Ids) -> Floats:
        """How near some verses are to each query, as ``search`` would score them.

        Args:
            vectors: unit vectors, float32 (n, dim).
            ids: verse numbers, each once.

        Returns:
            Cosines, float32 (n, len(ids)).
        """
        import numpy as np

        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        numbers = np.ascontiguousarray(ids, dtype=np.int64)
        if not len(numbers):
            return np.empty((len(queries), 0), dtype=np.float32)
        if not self.manifest.nprobe:
            stored: Floats = self._index.reconstruct_batch(numbers)
            exact: Floats = queries @ stored.T
            return exact
        # Compressed codes are made to be compared with a query and cannot be read back.
        mask = np.zeros(len(self), dtype=bool)
        mask[numbers] = True
        scores, found = self._index.search(
            queries, len(numbers), params=self._parameters(_selector(mask), 0)
        )
        order = np.argsort(numbers)
        cosines: Floats = np.empty_like(scores)
        places = order[np.searchsorted(numbers, found, sorter=order)]
        np.put_along_axis(cosines, places, scores, axis=1)
        return cosines

    def quoted_for(self, words: str, k: int, *, where: Filter | None = None) -> Ids:
        """The verses whose occasions have most words in common with a query.

        Args:
            words: the query.
            k: how many at most.
            where: only verses that have this.

        Returns:
            Verse numbers, int64 (k or fewer,), in no order; none where verses have no occasions.
        """
        return self._occasions.find(words, k, self._mask(where) if where else None)

    def verse(self, number: int) -> Verse:
        """The verse with a number that ``search`` returned."""
        return self._verses[int(number)]

    def verses(self, ids: Sequence[int] | Ids) -> list[Verse]:
        """The verses with these numbers, in the same order."""
        return [self._verses[int(number)] for number in ids]

    def find_text(self, text: str) -> int | None:
        """The number of the first verse whose text has these words; None if there is none."""
        return next(self._verses.places(text), None)

    def cited(self, words: str, k: int, *, where: Filter | None = None) -> list[int]:
        """The verses that some words cite: by a line, a title or a poet's name.

        Args:
            words: the query.
            k: how many at most; those with most occasions.
            where: only verses that have this.

        Returns:
            Verse numbers, each once; none where words say something of their own.
        """
        mask = self._mask(where) if where else None
        found = [n for n in cited(self._verses, words) if mask is None or mask[n]]
        found.sort(key=lambda n: (-self._verses.text("occasions", n).count("；"), n))
        return found[:k]

    @cached_property
    def _occasions(self) -> OccasionSearch:
        return OccasionSearch(self._verses.column("occasions"))

    def authors(self) -> Sequence[str]:
        """All poets, each once."""
        return self._verses.names("author")

    def dynasties(self) -> Sequence[str]:
        """All dynasties, each once."""
        return self._verses.names("dynasty")

    def kinds(self) -> Sequence[str]:
        """All kinds, each once."""
        return self._verses.names("kind")

    def _make_mask(self, where: Filter) -> Mask:
        import numpy as np

        mask = np.ones(len(self), dtype=bool)
        for column, name in (
            ("author", where.author),
            ("dynasty", where.dynasty),
            ("kind", where.kind),
        ):
            if name:
                mask &= self._verses.having(column, name)  # type: ignore[arg-type]
        return mask

    def _parameters(self, selector: Any, share: float) -> Any:
        nprobe = self.manifest.nprobe
        if nprobe:
            # The rarer the verses asked for, the more lists it takes to meet k of them.
            lists = inverted_file(self._index).nlist
            nprobe = min(lists, int(nprobe / share) + 1) if share else lists
        return search_parameters(self._index, nprobe, selector)


def _selector(mask: Mask) -> Any:
    import numpy as np

    return faiss().IDSelectorBitmap(np.packbits(mask, bitorder="little"))


def _read_faiss(path: Path) -> Any:
    return faiss().read_index(str(path), faiss().IO_FLAG_MMAP_IFC)
