"""``hf:`` generators: chat models that write a verse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from img2poem.errors import UserError
from img2poem.models.base import Generator, Photo
from img2poem.models.hub.chat import ChatModel, load_chat
from img2poem.models.hub.files import has_chat_template, locate
from img2poem.models.hub.loading import choose_device
from img2poem.models.prompts import VERSE, tidy

if TYPE_CHECKING:
    from img2poem.models.registry import ModelOptions

_TOKENS = 64


def generator(rest: str, options: ModelOptions) -> Generator:
    """Factory of ``hf:`` generators."""
    folder = locate(rest)
    if not has_chat_template(folder):
        raise UserError(f"hf:{rest} is no chat model.", "A generator needs a chat template.")
    return HubGenerator(f"hf:{rest}", load_chat(folder, choose_device(options.device)))


class HubGenerator:
    """A chat model; one that sees is shown the photo as well."""

    def __init__(self, name: str, model: ChatModel) -> None:
        self.name = name
        self._model = model

    def write(self, description: str, photo: Photo | None = None) -> str:
        """Write one line of verse; its form is the caller's to check."""
        shown = photo.image if photo is not None and self._model.sees else None
        prompt = VERSE.format(description=description)
        return tidy(self._model.answer([prompt], [shown], _TOKENS)[0])
