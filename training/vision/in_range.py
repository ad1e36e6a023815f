"""Weights in 8 bits whose products cannot overflow, whatever the processor.

On x86 without the VNNI instructions onnxruntime multiplies unsigned activations by signed weights
two at a time and adds each pair in 16 bits, where 255 * 127 + 255 * 127 does not fit and is cut
off: the same file then gives other features (cosine 0.95 to the exact ones rather than 0.99).
Its documentation advises 7-bit weights; less is lost where a larger step goes only to the
channels that hold too large a pair.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

PAIR_MOST = 128  # 255 * 128 < 2**15


def rows(weights: np.ndarray) -> np.ndarray:
    """A layer's weights as (channels out, an even number of inputs), in the kernel's order."""
    if weights.ndim == 4:
        weights = weights.transpose(0, 2, 3, 1)
    flat = weights.reshape(len(weights), -1)
    return np.pad(flat, ((0, 0), (0, flat.shape[1] % 2)))


def pair_most(weights: np.ndarray) -> np.ndarray:
    """The most that two weights multiplied together can reach, for each channel out."""
    first, second = rows(weights)[:, ::2], rows(weights)[:, 1::2]
    above = np.maximum(first, 0) + np.maximum(second, 0)
    below = np.maximum(-first, 0) + np.maximum(-second, 0)
    return np.maximum(above, below).max(1)


def is_depthwise(weights: np.ndarray) -> bool:
    """One input channel a filter: another kernel, which adds in 32 bits."""
    return weights.ndim == 4 and weights.shape[1] == 1


def quantise(weights: np.ndarray, least: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 weights and the step of each channel out, no step smaller than `least`."""
    step = np.abs(weights.reshape(len(weights), -1)).max(1) / 127
    shape = (-1,) + (1,) * (weights.ndim - 1)
    if not is_depthwise(weights):
        step = np.maximum(step, pair_most(weights) / (PAIR_MOST - 1))
    step = np.maximum(step, least).astype(np.float32)
    rounded = np.rint(weights / step.reshape(shape))
    # Rounding can add one to a pair that just fitted.
    while not is_depthwise(weights) and (over := pair_most(rounded) > PAIR_MOST).any():
        step[over] *= np.float32(1.002)
        rounded = np.rint(weights / step.reshape(shape))
    return rounded.clip(-127, 127).astype(np.int8), step


def bring_in_range(quantised: onnx.ModelProto, exact: onnx.ModelProto) -> None:
    """Put weights that cannot overflow into a file of `quantize_static`, from the exact ones.

    The ranges of the activations stay. `quantised` is in QDQ format, a step a channel.
    """
    stored = {tensor.name: tensor for tensor in quantised.graph.initializer}
    floats = {tensor.name: tensor for tensor in exact.graph.initializer}
    source = {
        node.output[0]: node for node in quantised.graph.node if node.op_type == "DequantizeLinear"
    }

    def store(name: str, values: np.ndarray) -> None:
        stored[name].CopyFrom(numpy_helper.from_array(values, name))

    for node in quantised.graph.node:
        if node.op_type not in {"Conv", "Gemm"}:
            continue
        signal, weight, bias = (source[name] for name in node.input)
        weights, biases = (
            numpy_helper.to_array(floats[part.input[0].removesuffix("_quantized")])
            for part in (weight, bias)
        )
        signal_step = numpy_helper.to_array(stored[signal.input[1]])
        # A channel of tiny weights still needs a step in which its bias fits 32 bits.
        values, step = quantise(weights, np.abs(biases) / signal_step / 2**30 + 1e-12)
        bias_step = (signal_step * step).astype(np.float32)
        store(weight.input[0], values)
        store(weight.input[1], step)
        store(bias.input[0], np.rint(biases / bias_step).astype(np.int32))
        store(bias.input[1], bias_step)
