"""The commands about models: what there is, and downloading it ahead."""

from __future__ import annotations

from typing import Annotated

import typer

from img2poem.errors import UserError

# Shared with the other commands.
Profile = Annotated[str | None, typer.Option(help="A set of models: builtin, original, best.")]
ApiBase = Annotated[str | None, typer.Option(help="An OpenAI-compatible endpoint.")]

models_app = typer.Typer(invoke_without_command=True)


@models_app.callback()
def models(context: typer.Context, api_base: ApiBase = None) -> None:
    """List the models that can be named: where they are, their size and licence."""
    if context.invoked_subcommand:
        return
    from img2poem import console
    from img2poem.models.catalog import rows
    from img2poem.settings import resolve

    console.print_models(rows(resolve({"api_base": api_base}).settings))


@models_app.command()
def pull(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="E.g. hf:owner/model.")
    ] = None,
    profile: Profile = None,
) -> None:
    """Download models ahead, so that they work offline."""
    from img2poem import console
    from img2poem.models.catalog import profile_models
    from img2poem.models.hub.download import pull as download

    wanted = [*(names or ()), *(profile_models(profile) if profile else ())]
    if not wanted:
        raise UserError("Which model?", "Name one, or a profile: --profile best.", exit_code=2)
    for name in wanted:
        download(name, console.print_notice)
