"""The weights that ship, read and given to onnxruntime."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.resources import files
from typing import Any

from img2poem.errors import UserError


def read(folder: str, name: str, hint: str) -> bytes:
    """A file of ``weights/``.

    Args:
        folder: the model: text or vision.
        name: the file.
        hint: which options name another model.

    Raises:
        UserError: the file is missing.
    """
    try:
        return (files("img2poem") / "weights" / folder / name).read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"The built-in {folder} model is incomplete: {name} is missing.",
            f"Reinstall img2poem, or choose another model with {hint}.",
        ) from None


def runtime() -> Any:
    """The module onnxruntime, kept from calling home: its builds number the device otherwise."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when it is imported
    return import_module("onnxruntime")


def session(weights: bytes, threads: int, *, fuse: bool = True) -> Any:
    """An onnxruntime session on the CPU.

    Args:
        weights: the content of an ONNX file.
        threads: how many threads it may use; 0 lets it choose.
        fuse: join operators into faster ones.
    """
    onnxruntime = runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if not fuse:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
