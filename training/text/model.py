"""The text model: an encoder that gives a vector a text and a vector a token.

The layers are BERT's: those of multilingual-e5-small in what ships, those of m3e-small in the
second opinion it is taught by.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

TOKEN_DIM = 64
POSITIONS = 128
START, PAD, END, UNKNOWN = 0, 1, 2, 3
_POOLED = 9_000_000


class Shape(NamedTuple):
    """How large an encoder is."""

    width: int
    heads: int
    layers: int


E5_SMALL = Shape(384, 12, 12)
M3E_SMALL = Shape(512, 8, 4)


class Packed(NamedTuple):
    """Texts packed into rows of equal length; see ``data.pack``.

    Attributes:
        ids: token ids (rows, length).
        places: each token's place in its text (rows, length).
        owner: each token's text, the number of texts for padding (rows, length).
        at: where each text's tokens are in the flattened rows (texts, longest).
        mask: which of those are tokens (texts, longest).
    """

    ids: Tensor
    places: Tensor
    owner: Tensor
    at: Tensor
    mask: Tensor


class Reading(NamedTuple):
    """What the model makes of some texts.

    Attributes:
        vectors: unit rows (texts, width).
        tokens: unit rows (texts, longest, TOKEN_DIM), 0 for padding.
        shares: how much each token counts (texts, longest), a text's sum is 1.
    """

    vectors: Tensor
    tokens: Tensor
    shares: Tensor


class Dropout(nn.Module):
    """Dropout with masks cut at random from one pool.

    Drawing every mask anew took a seventh of a training step on a CPU.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        kept = (torch.rand(_POOLED) >= share).to(torch.bfloat16) / (1 - share)
        self.register_buffer("pool", kept, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        start = int(torch.randint(0, _POOLED - x.numel(), ()))
        return x * self.pool[start : start + x.numel()].view(x.shape)


class Layer(nn.Module):
    """A post-norm transformer layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.attended = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.output_norm = nn.LayerNorm(width, eps=1e-12)

    def split_heads(self, x: Tensor) -> Tensor:
        """(n, length, width) to (n, heads, length, width // heads)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, bias: Tensor, drop: nn.Module) -> Tensor:
        """x (rows, length, width); ``bias`` (rows, 1, length, length) is added to the attention.

        PyTorch's fused attention is left aside: on a CPU its backward pass is slow.
        """
        queries = self.split_heads(self.query(x)) * (x.shape[2] // self.heads) ** -0.5
        weights = (queries @ self.split_heads(self.key(x)).transpose(-1, -2) + bias).softmax(-1)
        seen = (weights @ self.split_heads(self.value(x))).transpose(1, 2).reshape(x.shape)
        x = self.attention_norm(x + drop(self.attended(seen)))
        return self.output_norm(x + drop(self.narrow(F.gelu(self.wide(x)))))


class Embedder(nn.Module):
    """Texts to a unit vector each, the mean of the last states, and a unit vector a token.

    Args:
        pieces: the vocabulary's size.
        shape: the base's.
        drop: share of values dropped in training.
    """

    def __init__(self, pieces: int, shape: Shape = E5_SMALL, drop: float = 0.05) -> None:
        super().__init__()
        width, heads, layers = shape
        self.word = nn.Embedding(pieces, width)
        self.position = nn.Embedding(POSITIONS, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList([Layer(width, heads) for _ in range(layers)])
        self.token = nn.Linear(width, TOKEN_DIM)
        self.share = nn.Linear(width, 1)
        self.drop = Dropout(drop)
        nn.init.orthogonal_(self.token.weight)
        for start in (self.token.bias, self.share.weight, self.share.bias):
            nn.init.zeros_(start)

    def states(self, packed: Packed) -> Tensor:
        """The last states of all tokens, flat, float32 (rows * length, width)."""
        apart = packed.owner[:, None, :, None] != packed.owner[:, None, None, :]
        x = self.drop(self.norm(self.word(packed.ids) + self.position(packed.places)))
        bias = apart.to(torch.bfloat16) * -1e4  # a text sees no other text of its row
        for layer in self.layers:
            x = layer(x, bias, self.drop)
        return x.float().flatten(0, 1)

    def forward(self, packed: Packed) -> Reading:
        """Read packed texts; autocast is the caller's."""
        x = self.states(packed)
        with torch.autocast(x.device.type, enabled=False):
            mask, texts = packed.mask, len(packed.mask)
            total = x.new_zeros(texts + 1, x.shape[1])
            total = total.index_add(0, packed.owner.flatten(), x)[:texts]
            tokens = F.normalize(self.token(x), dim=1)[packed.at] * mask[:, :, None]
            shares = self.share(x)[:, 0][packed.at].masked_fill(~mask, -1e4).softmax(1)
            return Reading(F.normalize(total / mask.sum(1, keepdim=True), dim=1), tokens, shares)


def load(path: Path) -> Embedder:
    """The model whose weights an .npz holds; a base has no token heads, and gets new ones."""
    with np.load(path) as file:
        weights = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
    pieces, width = weights["word.weight"].shape
    shape = next(shape for shape in (E5_SMALL, M3E_SMALL) if shape.width == width)
    model = Embedder(pieces, shape)
    model.load_state_dict(weights, strict=False)
    return model
