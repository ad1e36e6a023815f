"""The Typer app: parse, call, render. No logic."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from img2poem.cli_models import ApiBase, Profile, models_app
from img2poem.errors import UserError

app = typer.Typer(
    help="A photo or a few words in, the line of classical Chinese poetry that says it out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.add_typer(models_app, name="models")

Corpus = Annotated[
    str | None, typer.Option(help="Corpora to search, comma-separated: ct, c, select_c.")
]
Embedder = Annotated[str | None, typer.Option(help="Model that turns text into vectors.")]
Author = Annotated[str, typer.Option(help="Only this poet's verses.")]
Dynasty = Annotated[str, typer.Option(help="Only this dynasty's verses.")]
Kind = Annotated[str, typer.Option(help="Only 诗, 词 or 曲.")]
Captioner = Annotated[str | None, typer.Option(help="Model that describes photos.")]
Reranker = Annotated[str | None, typer.Option(help="Model that orders the candidates.")]
Generator = Annotated[str | None, typer.Option(help="Model that writes a verse.")]
Generate = Annotated[str | None, typer.Option(help="Write a verse: auto, always, never.")]
Hyde = Annotated[str | None, typer.Option(help="Search with a written verse: off, only, concat.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")]
Data = Annotated[str | None, typer.Option(help="Folder of corpora and indexes.")]
MinScore = Annotated[float | None, typer.Option(help="Below this score a verse is not close.")]
MaxPixels = Annotated[int | None, typer.Option(help="Refuse photos with more pixels than this.")]
Metadata = Annotated[
    bool | None,
    typer.Option("--metadata/--no-metadata", help="Use a photo's date and place as a hint."),
]


def main() -> None:
    """Run the command line; every error a user can meet ends here, without a traceback."""
    from img2poem.console import print_anything

    print_anything()
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    try:
        app(args=[a for a in arguments if a != "--debug"], prog_name="img2poem")
    except UserError as error:
        if debug:
            raise
        from img2poem.console import print_error

        print_error(error)
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        if debug:
            raise
        from img2poem.console import print_error

        where = f"{error.filename}: " if error.filename else ""
        print_error(
            UserError(
                f"{where}{error.strerror or error}.",
                "Check the path, its permissions and the free space; --debug shows where.",
            )
        )
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def script() -> None:
    """``main`` as a process of its own, which begins and ends without a wait.

    Start-up makes objects that all stay, so they are not looked through again and again. At
    the end everything is written; taking onnxruntime and FAISS apart would be a sixth of a
    query. Where torch is loaded the interpreter ends as it likes to, since torch may have
    processes to stop.
    """
    gc.set_threshold(100_000)
    code: str | int | None = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    if "torch" in sys.modules or not isinstance(code, int | None):
        sys.exit(code)
    with suppress(OSError):  # whoever read the output may be gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code or 0)


def _show_version(wanted: bool) -> None:
    if wanted:
        from img2poem import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """A photo or a few words in, the line of classical Chinese poetry that says it out."""


@app.command()
def query(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="A photo, words, or both.")],
    corpus: Corpus = None,
    k: Annotated[int | None, typer.Option("-k", help="How many verses, 200 at most.")] = None,
    author: Author = "",
    dynasty: Dynasty = "",
    kind: Kind = "",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    explain: Annotated[bool, typer.Option(help="Show where each verse came from.")] = False,
    traditional: Annotated[
        bool, typer.Option(help="Show the source's own Traditional text where it has one.")
    ] = False,
    captioner: Captioner = None,
    embedder: Embedder = None,
    reranker: Reranker = None,
    generator: Generator = None,
    generate: Generate = None,
    hyde: Hyde = None,
    profile: Profile = None,
    min_score: MinScore = None,
    max_pixels: MaxPixels = None,
    metadata: Metadata = None,
    device: Device = None,
    api_base: ApiBase = None,
    data: Data = None,
) -> None:
    """Find the verses that say what a photo, or words, or both say."""
    flags = _flags(locals())
    from img2poem import console
    from img2poem.pipeline.asking import photo_and_words

    photo, text = photo_and_words(inputs)
    with console.reporting() as reporter:
        result = _pipeline(flags, reporter).query(
            photo, text, author=author, dynasty=dynasty, kind=kind
        )
    if json:
        console.print_json(result.as_dict(traditional=traditional))
    else:
        console.print_result(result, traditional=traditional)
    if explain:
        console.print_explanation(result)


@app.command()
def batch(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS_DIR", help="A folder of photos.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The CSV.")] = Path("poems.csv"),
    text: Annotated[str, typer.Option(help="Words added to every photo.")] = "",
    author: Author = "",
    dynasty: Dynasty = "",
    kind: Kind = "",
    unique: Annotated[bool, typer.Option(help="Give no verse twice while others fit.")] = False,
    restart: Annotated[bool, typer.Option(help="Start over instead of going on.")] = False,
    bom: Annotated[bool, typer.Option(help="Begin with a byte-order mark, for Excel.")] = False,
    corpus: Corpus = None,
    captioner: Captioner = None,
    embedder: Embedder = None,
    reranker: Reranker = None,
    generator: Generator = None,
    generate: Generate = None,
    hyde: Hyde = None,
    profile: Profile = None,
    min_score: MinScore = None,
    max_pixels: MaxPixels = None,
    metadata: Metadata = None,
    device: Device = None,
    api_base: ApiBase = None,
    data: Data = None,
) -> None:
    """Give every photo in a folder its verse: a CSV, a row a photo."""
    flags = _flags(locals())
    from img2poem import console
    from img2poem.index.store import Filter
    from img2poem.pipeline.batch import run_batch, summary

    with console.reporting() as reporter:
        outcome = run_batch(
            _pipeline(flags, reporter),
            photos,
            output,
            text=text,
            where=Filter(author, dynasty, kind),
            unique=unique,
            restart=restart,
            bom=bom,
            progress=reporter.task("photos"),
        )
    console.print_summary(summary(outcome, output))
    if outcome.failed:
        raise typer.Exit(3)


@app.command()
def prepare(
    works: Annotated[Path, typer.Argument(help="works.json, a folder of them, or chinese-poetry.")],
    out: Annotated[Path | None, typer.Option(help="Where the corpora go.")] = None,
    poets: Annotated[
        Path | None, typer.Option(help="Poets of select_c, one a line, in place of the list.")
    ] = None,
) -> None:
    """Turn works into the corpora ct, c and select_c (JSONL)."""
    from img2poem import console
    from img2poem.corpus.prepare import prepare as run_prepare
    from img2poem.corpus.prepare import read_poets
    from img2poem.datadir import DataDir, resolve_datadir
    from img2poem.settings import resolve

    home = DataDir(out) if out else resolve_datadir(resolve().settings.data)
    chosen = read_poets(poets) if poets else None
    with console.reporting() as reporter:
        report = run_prepare(works, home.root, poets=chosen, progress=reporter.task("reading"))
    home.mark()
    console.print_counts(f"corpora in {home.root}", report.rows())


@app.command("build-index")
def build_index(
    corpus: Corpus = None,
    data: Data = None,
    embedder: Embedder = None,
    force: Annotated[bool, typer.Option(help="Rebuild an index that is there.")] = False,
    device: Device = None,
    api_base: ApiBase = None,
) -> None:
    """Encode a prepared corpus into an index."""
    flags = _flags(locals())
    from img2poem import console

    with console.reporting() as reporter:
        reports = _pipeline(flags, reporter).build_indexes(force=force)
    for name, report in reports.items():
        console.print_counts(f"index of {name}", report.rows())


@app.command()
def config() -> None:
    """Show every setting in force and where it comes from."""
    from dataclasses import asdict

    from img2poem import console
    from img2poem.datadir import resolve_datadir
    from img2poem.settings import HELP, resolve

    resolved = resolve()
    values = asdict(resolved.settings)
    rows = {name: (value, resolved.origin[name], HELP[name]) for name, value in values.items()}
    if not values["data"]:
        folder = str(resolve_datadir().root)
        rows["data"] = (folder, resolved.origin["data"], HELP["data"])
    console.print_settings(rows)


_SETTING_FLAGS = (
    "corpus", "k", "captioner", "embedder", "reranker", "generator", "generate", "hyde",
    "profile", "min_score", "max_pixels", "metadata", "device", "api_base", "data",
)  # fmt: skip


def _flags(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a command that are settings."""
    return {name: given[name] for name in _SETTING_FLAGS if name in given}


def _pipeline(flags: dict[str, Any], reporter: Any) -> Any:
    from img2poem.pipeline.pipeline import Pipeline
    from img2poem.settings import resolve

    return Pipeline(resolve(flags).settings, reporter)
