"""The text model: an encoder of twelve layers that gives a vector a text and a vector a token.

The layers are those of multilingual-e5-small (BERT's, 384 wide).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DIM = 384
TOKEN_DIM = 64
HEADS = 12
LAYERS = 12
POSITIONS = 128
START, PAD, END, UNKNOWN = 0, 1, 2, 3
_POOLED = 9_000_000


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
        vectors: unit rows (texts, DIM).
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


def split_heads(x: Tensor) -> Tensor:
    """(n, length, DIM) to (n, HEADS, length, DIM // HEADS)."""
    return x.view(x.shape[0], x.shape[1], HEADS, DIM // HEADS).transpose(1, 2)


class Layer(nn.Module):
    """A post-norm transformer layer."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(DIM, DIM)
        self.key = nn.Linear(DIM, DIM)
        self.value = nn.Linear(DIM, DIM)
        self.attended = nn.Linear(DIM, DIM)
        self.attention_norm = nn.LayerNorm(DIM, eps=1e-12)
        self.wide = nn.Linear(DIM, 4 * DIM)
        self.narrow = nn.Linear(4 * DIM, DIM)
        self.output_norm = nn.LayerNorm(DIM, eps=1e-12)

    def forward(self, x: Tensor, bias: Tensor, drop: nn.Module) -> Tensor:
        """x (rows, length, DIM); ``bias`` (rows, 1, length, length) is added to the attention.

        PyTorch's fused attention is left aside: on a CPU its backward pass is slow.
        """
        queries = split_heads(self.query(x)) * (DIM // HEADS) ** -0.5
        weights = (queries @ split_heads(self.key(x)).transpose(-1, -2) + bias).softmax(-1)
        seen = (weights @ split_heads(self.value(x))).transpose(1, 2).reshape(x.shape)
        x = self.attention_norm(x + drop(self.attended(seen)))
        return self.output_norm(x + drop(self.narrow(F.gelu(self.wide(x)))))


class Embedder(nn.Module):
    """Texts to a unit vector each, the mean of the last states, and a unit vector a token.

    Args:
        pieces: the vocabulary's size.
        drop: share of values dropped in training.
    """

    def __init__(self, pieces: int, drop: float = 0.05) -> None:
        super().__init__()
        self.word = nn.Embedding(pieces, DIM)
        self.position = nn.Embedding(POSITIONS, DIM)
        self.norm = nn.LayerNorm(DIM, eps=1e-12)
        self.layers = nn.ModuleList([Layer() for _ in range(LAYERS)])
        self.token = nn.Linear(DIM, TOKEN_DIM)
        self.share = nn.Linear(DIM, 1)
        self.drop = Dropout(drop)
        nn.init.orthogonal_(self.token.weight)
        for start in (self.token.bias, self.share.weight, self.share.bias):
            nn.init.zeros_(start)

    def states(self, packed: Packed) -> Tensor:
        """The last states of all tokens, flat, float32 (rows * length, DIM)."""
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
            total = x.new_zeros(texts + 1, DIM).index_add(0, packed.owner.flatten(), x)[:texts]
            tokens = F.normalize(self.token(x), dim=1)[packed.at] * mask[:, :, None]
            shares = self.share(x)[:, 0][packed.at].masked_fill(~mask, -1e4).softmax(1)
            return Reading(F.normalize(total / mask.sum(1, keepdim=True), dim=1), tokens, shares)
