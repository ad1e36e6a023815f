"""What loading any hub model takes: a device, a precision, batches that fit, clear errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from img2poem.errors import UserError
from img2poem.models.registry import missing_extra

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from PIL.Image import Image

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Load a model in this block: what goes wrong becomes one clear error.

    The libraries' own progress bars and advice are held back while it runs.

    Raises:
        UserError: a package that is not installed, or files that are no such model.
    """
    try:
        import transformers  # noqa: F401
        from transformers.utils import logging
    except ImportError as error:
        raise missing_extra("hub", error) from error
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except UserError:
        raise
    except ImportError as error:
        if error.name:
            raise missing_extra("hub", error) from error
        raise UserError(f"{name} cannot be loaded: {first_line(error)}") from error
    except Exception as error:  # what a damaged folder raises depends on the library
        raise UserError(
            f"{name} cannot be loaded: {first_line(error)}",
            "Check that the model is made for this seat, and that its files are whole.",
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def from_pretrained(kind: Any, folder: Path, device: str, dtype: torch.dtype | str) -> Any:
    """A transformers model, ready to run.

    Args:
        kind: the class that loads it, e.g. ``AutoModel``.
        folder: its files.
        device: cpu, cuda or mps.
        dtype: its precision.

    Raises:
        ValueError: the folder holds another model's weights. transformers would fill what is
            missing with random numbers and answer with noise.
    """
    model, report = kind.from_pretrained(
        folder, dtype=dtype, local_files_only=True, output_loading_info=True
    )
    missing = len(report["missing_keys"])
    # Published weights may lack a tensor or two that no result depends on.
    if missing > 0.05 * len(model.state_dict()):
        raise ValueError(f"its weights lack {missing} tensors of a {type(model).__name__}")
    return model.to(device).eval()


def first_line(error: BaseException) -> str:
    """The first line of an error that says something, shortened."""
    lines = (line.strip() for line in str(error).splitlines())
    text = next((line for line in lines if line), type(error).__name__)
    return text if len(text) <= 160 else text[:157] + "..."


def choose_device(wanted: str) -> str:
    """The device to run on: cuda, mps or cpu.

    Args:
        wanted: auto takes the first of these that is there.

    Raises:
        UserError: the device asked for is not there.
    """
    try:
        import torch
    except ImportError as error:
        raise missing_extra("hub", error) from error
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return next(device for device, usable in there.items() if usable)
    if not there.get(wanted):
        usable = ", ".join(device for device, is_there in there.items() if is_there)
        raise UserError(f"This machine has no {wanted} that torch can use.", f"It has: {usable}.")
    return wanted


def encoder_dtype(device: str) -> torch.dtype:
    """Half precision on a GPU. float16, not bfloat16: vectors need the finer mantissa."""
    import torch

    return torch.float32 if device == "cpu" else torch.float16


def writer_dtype(device: str) -> torch.dtype | str:
    """Precision of a model that writes text; on a CPU, that of its files.

    Large language models are trained in bfloat16 and can overflow in float16.
    """
    import torch

    if device == "cpu":
        return "auto"
    if device == "cuda" and not torch.cuda.is_bf16_supported():
        return torch.float16
    return torch.bfloat16


def batch_size(device: str, megabytes: float, *, most: int) -> int:
    """How many items to run at once.

    Args:
        device: where.
        megabytes: what one item takes while the model runs; an estimate is enough, since
            ``in_batches`` recovers from one that was too low.
        most: never more than this.
    """
    if device != "cuda":
        return min(most, 16)
    import torch

    free, _ = torch.cuda.mem_get_info()
    return max(1, min(most, int(free * 0.6 / (megabytes * 2**20))))


def in_batches(items: Sequence[T], size: int, run: Callable[[Sequence[T]], Iterable[R]]) -> list[R]:
    """Run items in batches of at most ``size``, in smaller ones where memory runs out.

    Raises:
        UserError: there is not enough memory for a single item.
    """
    results: list[R] = []
    while len(results) < len(items):
        batch = items[len(results) : len(results) + size]
        try:
            results.extend(run(batch))
        except RuntimeError as error:  # torch.OutOfMemoryError on cuda, a plain one on mps
            if "out of memory" not in str(error).lower():
                raise
            if size == 1:
                raise UserError(
                    "The device has not enough memory for this model.",
                    "Take a smaller model, or --device cpu.",
                ) from error
            size = max(1, min(size, len(batch)) // 2)
            _release()
    return results


def _release() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def within(image: Image, longest: int) -> Image:
    """A photo no longer than ``longest`` pixels and no thinner than a fortieth of that.

    Image processors enlarge the shorter side of a strip, or refuse it.
    """
    from PIL.Image import Resampling

    width, height = image.size
    shrink = min(1.0, longest / max(width, height))
    thinnest = longest // 40
    size = (max(round(width * shrink), thinnest), max(round(height * shrink), thinnest))
    return image if size == image.size else image.resize(size, Resampling.BICUBIC)


def to_device(inputs: Any, device: str, dtype: torch.dtype) -> Any:
    """Tensors of a tokenizer or processor on a device, pixels in the model's precision."""
    import torch

    return {
        name: value.to(device, dtype=dtype) if value.is_floating_point() else value.to(device)
        for name, value in inputs.items()
        if isinstance(value, torch.Tensor)
    }
