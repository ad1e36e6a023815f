"""Trained weights to the ONNX files that img2poem ships, int8, every operator chosen here.

    python export.py embedder.npz --data data.npz --out embedder.onnx

The graph is written out rather than traced, because what a tracer and a quantiser make of
this model is half as fast: one product for query, key and value; attention and GELU as
onnxruntime's own operators; products of int8, with one scale for each column of the weights
(one scale for all loses two points of recall@1) and a fixed one for the input, so that a text's
vector does not depend on its batch; addition and
layer norm apart, since onnxruntime's fusion of the two is the slower one on a CPU.

Weights use 7 of the 8 bits: without VNNI, x86 adds two products in 16 bits, which 8 would
overflow. A few channels of the activations are ten times the others and would take all the
levels: some training rows are read to find them (``calm.py``), and they are divided before a
product and multiplied in its weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from calm import Input, inputs, sample
from onnx import TensorProto, helper, numpy_helper

from data import Data

LEVELS = 63
TABLE_LEVELS = 127
INPUT_LEVELS = 255
EPSILON = 1e-12
HEADS = 12

Array = npt.NDArray[np.generic]


def quantise(matrix: Array, levels: int) -> tuple[Array, Array]:
    """Rows as int8 with a scale a row: (int8 like ``matrix``, float32 (rows, 1))."""
    scale = np.abs(matrix).max(1, keepdims=True) / levels + 1e-12
    return np.rint(matrix / scale).astype(np.int8), scale.astype(np.float32)


class Graph:
    """Nodes and constants in the order they are written; a value is named by its string."""

    def __init__(self, weights: dict[str, Array], spans: dict[str, Input]) -> None:
        self.weights = weights
        self.spans = spans
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: npt.ArrayLike) -> str:
        if name not in self.constants:
            array = np.ascontiguousarray(value)
            self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name].astype(np.float32))

    def axis(self, *axes: int) -> str:
        return self.constant(f"axis{axes}", np.array(axes, np.int64))

    def op(self, kind: str, *inputs: str, outputs: int = 1, **settings: object) -> list[str]:
        names = [f"{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        own = kind in {"MatMulIntegerToFloat", "MultiHeadAttention", "BiasGelu"}
        domain = "com.microsoft" if own else ""
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **settings))
        return names

    def one(self, kind: str, *inputs: str, **settings: object) -> str:
        return self.op(kind, *inputs, **settings)[0]

    def product(self, x: str, name: str, matrix: Array, bias: Array | None = None) -> str:
        """x times a matrix (out, in) in int8, plus a bias."""
        divisor, low, high = self.spans[name]
        if (divisor != 1).any():
            x = self.one("Mul", x, self.constant(name + ".calm", 1 / divisor))
        whole, scale = quantise(matrix * divisor, LEVELS)
        step = (high - low) / INPUT_LEVELS
        of_input = (
            self.constant(name + ".step", np.float32(step)),
            self.constant(name + ".level", np.uint8(round(-low / step))),
        )
        operands = [
            self.one("QuantizeLinear", x, *of_input),
            self.constant(name + ".int8", whole.T),
            of_input[0],
            self.constant(name + ".scale", scale[:, 0]),
            of_input[1],
            self.constant(name + ".zero", np.zeros(len(whole), np.int8)),
        ]
        if bias is not None:
            operands.append(self.constant(name + ".bias", bias.astype(np.float32)))
        return self.one("MatMulIntegerToFloat", *operands)

    def linear(self, x: str, name: str, *, bias: bool = True) -> str:
        matrix = self.weights[name + ".weight"]
        return self.product(x, name, matrix, self.weights[name + ".bias"] if bias else None)

    def norm(self, x: str, name: str) -> str:
        scale, shift = self.weight(name + ".weight"), self.weight(name + ".bias")
        return self.one("LayerNormalization", x, scale, shift, axis=-1, epsilon=EPSILON)

    def embed(self, ids: str) -> str:
        """Token ids (n, length) to (n, length, dim)."""
        whole, scale = quantise(self.weights["word.weight"], TABLE_LEVELS)
        rows = self.one("Gather", self.constant("word.int8", whole), ids)
        scales = self.one("Gather", self.constant("word.scale", scale), ids)
        words = self.one("Mul", self.one("Cast", rows, to=TensorProto.FLOAT), scales)
        length = self.size(ids, 1)
        places = self.one(
            "Slice", self.weight("position.weight"), self.axis(0), length, self.axis(0)
        )
        return self.norm(self.one("Add", words, places), "norm")

    def size(self, value: str, axis: int) -> str:
        shape = self.one("Shape", value)
        return self.one("Slice", shape, self.axis(axis), self.axis(axis + 1))

    def layer(self, layer: str, x: str, mask: str) -> str:
        """Query, key and value in one product, without their biases: attention adds those."""
        parts = [self.weights[f"{layer}.{part}.weight"] for part in ("query", "key", "value")]
        biases = [self.weights[f"{layer}.{part}.bias"] for part in ("query", "key", "value")]
        bias = self.constant(f"{layer}.attention.bias", np.concatenate(biases).astype(np.float32))
        all_three = self.product(x, f"{layer}.attention", np.concatenate(parts))
        query, key, value = self.op("Split", all_three, outputs=3, axis=-1, num_outputs=3)
        seen = self.one("MultiHeadAttention", query, key, value, bias, mask, num_heads=HEADS)
        seen = self.linear(seen, f"{layer}.attended")
        x = self.norm(self.one("Add", x, seen), f"{layer}.attention_norm")
        wide = self.linear(x, f"{layer}.wide", bias=False)
        wide = self.one("BiasGelu", wide, self.weight(f"{layer}.wide.bias"))
        made = self.linear(wide, f"{layer}.narrow")
        return self.norm(self.one("Add", x, made), f"{layer}.output_norm")

    def mean(self, x: str, mask: str) -> str:
        """The mean over the tokens that ``mask`` keeps: (n, dim)."""
        kept = self.one("Cast", mask, to=TensorProto.FLOAT)
        column = self.one("Unsqueeze", kept, self.axis(2))
        total = self.one("ReduceSum", self.one("Mul", x, column), self.axis(1), keepdims=0)
        return self.one("Div", total, self.one("ReduceSum", column, self.axis(1), keepdims=0))

    def unit(self, x: str, axis: int = 1) -> str:
        return self.one("Div", x, self.one("ReduceL2", x, self.axis(axis), keepdims=1))

    def exact(self, x: str, name: str) -> str:
        """A small product in float32."""
        matrix = self.constant(name + ".weight", self.weights[name + ".weight"].T)
        return self.one("Add", self.one("MatMul", x, matrix), self.weight(name + ".bias"))

    def model(self, inputs: list[str], outputs: dict[str, tuple[str, int]]) -> onnx.ModelProto:
        """The finished model.

        Args:
            inputs: int64 (n, length) each.
            outputs: name to the value it is, and how many axes it has.
        """
        for name, (value, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [name]))
        graph = helper.make_graph(
            self.nodes,
            "img2poem",
            [helper.make_tensor_value_info(i, TensorProto.INT64, [None, None]) for i in inputs],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * axes)
                for name, (_, axes) in outputs.items()
            ],
            list(self.constants.values()),
        )
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="img2poem")
        model.ir_version = 9
        return model


def layers(weights: dict[str, Array]) -> list[str]:
    return [
        f"layers.{i}" for i in range(len({k.split(".")[1] for k in weights if k[:7] == "layers."}))
    ]


def embedder(weights: dict[str, Array], spans: dict[str, Input]) -> onnx.ModelProto:
    """ids and mask (n, length) to unit ``vectors`` (n, 384), unit ``tokens`` (n, length, 64)
    and their ``shares`` (n, length), which sum to 1."""
    graph = Graph(weights, spans)
    x = graph.embed("ids")
    mask = graph.one("Cast", "mask", to=TensorProto.INT32)
    for layer in layers(weights):
        x = graph.layer(layer, x, mask)
    kept = graph.one("Unsqueeze", graph.one("Cast", "mask", to=TensorProto.FLOAT), graph.axis(2))
    padding = graph.one("Sub", kept, graph.constant("one", np.float32(1)))
    padding = graph.one("Mul", padding, graph.constant("never", np.float32(1e4)))
    shares = graph.one("Softmax", graph.one("Add", graph.exact(x, "share"), padding), axis=1)
    outputs = {
        "vectors": (graph.unit(graph.mean(x, "mask")), 2),
        "tokens": (graph.unit(graph.exact(x, "token"), axis=2), 3),
        "shares": (graph.one("Squeeze", shares, graph.axis(2)), 2),
    }
    return graph.model(["ids", "mask"], outputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("weights", type=Path, help="an .npz that a trainer saved")
    parser.add_argument("--data", type=Path, required=True, help="data.npz")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    with np.load(arguments.weights) as file:
        weights = {name: file[name] for name in file.files}
    model = embedder(weights, inputs(weights, sample(Data(arguments.data))))
    arguments.out.write_bytes(model.SerializeToString())
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
