"""A photo or a few words in, the line of classical Chinese poetry that says it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from img2poem.errors import UserError

if TYPE_CHECKING:
    from img2poem.corpus.verse import Verse
    from img2poem.pipeline.pipeline import Pipeline
    from img2poem.pipeline.results import Match, Result

__version__ = "0.1.0"
__all__ = ["Match", "Pipeline", "Result", "UserError", "Verse", "load"]


def load(**settings: Any) -> Pipeline:
    """A Pipeline with these settings; others come from the environment and settings files.

    Models and indexes load when first needed, once. Whatever a user can put right is raised as
    ``img2poem.UserError``, whose ``problem`` and ``hint`` say what went wrong and what to do:
    here, and by the Pipeline when it is asked.

    Args:
        **settings: fields of ``img2poem.settings.Settings``, e.g. ``corpus="ct,c"``, ``k=3``.

    Raises:
        UserError: a setting that does not exist or does not fit.

    Example:
        >>> import img2poem
        >>> result = img2poem.load().query(text="雪夜 江上 一叶孤舟 老翁钓鱼")
        >>> result.matches[0].verse.title
        '江雪'
    """
    from img2poem.pipeline.pipeline import Pipeline
    from img2poem.settings import resolve

    return Pipeline(resolve(settings).settings)


def __getattr__(name: str) -> Any:
    # The public classes are found on first use, so that importing the package stays instant.
    homes = {
        "Verse": "img2poem.corpus.verse",
        "Pipeline": "img2poem.pipeline.pipeline",
        "Match": "img2poem.pipeline.results",
        "Result": "img2poem.pipeline.results",
    }
    if name not in homes:
        raise AttributeError(f"module 'img2poem' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(homes[name]), name)
