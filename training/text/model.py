"""The two text models: an encoder of twelve layers, as an embedder and as a reranker.

Both have the layers of multilingual-e5-small (BERT's, 384 wide). The reranker is the tuned
embedder once more: its lower layers stay as they are, its upper ones let each verse see the
query, and its score starts as the embedder's cosine, so that training begins where the
embedder ended.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DIM = 384
HEADS = 12
LAYERS = 12
POSITIONS = 128
START, PAD, END, UNKNOWN = 0, 1, 2, 3


def split_heads(x: Tensor) -> Tensor:
    """(n, length, DIM) to (n, HEADS, length, DIM // HEADS)."""
    return x.view(x.shape[0], x.shape[1], HEADS, DIM // HEADS).transpose(1, 2)


class Layer(nn.Module):
    """A post-norm transformer layer whose attention is put together by its caller."""

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

    def keys_and_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return split_heads(self.key(x)), split_heads(self.value(x))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, bias: Tensor, drop: float) -> Tensor:
        """x (n, length, DIM) after reading ``keys`` and ``values`` (n, HEADS, seen, 32).

        ``bias`` (n, 1, 1, seen) is added to the attention: 0, or -1e4 where there is padding.
        PyTorch's fused attention is left aside: on a CPU its backward pass is slow.
        """
        queries = split_heads(self.query(x)) * (DIM // HEADS) ** -0.5
        weights = (queries @ keys.transpose(-1, -2) + bias).softmax(-1)
        seen = self.attended((weights @ values).transpose(1, 2).reshape(x.shape))
        x = self.attention_norm(x + F.dropout(seen, drop, self.training))
        made = self.narrow(F.gelu(self.wide(x)))
        return self.output_norm(x + F.dropout(made, drop, self.training))


class Encoder(nn.Module):
    """Token ids to hidden states.

    Args:
        pieces: the vocabulary's size.
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.word = nn.Embedding(pieces, DIM)
        self.position = nn.Embedding(POSITIONS, DIM)
        self.norm = nn.LayerNorm(DIM, eps=1e-12)
        self.layers = nn.ModuleList([Layer() for _ in range(LAYERS)])

    def embed(self, ids: Tensor) -> Tensor:
        """(n, length) to (n, length, DIM), before the first layer."""
        places = torch.arange(ids.shape[1], device=ids.device)
        return self.norm(self.word(ids) + self.position(places))


def padding_bias(mask: Tensor, like: Tensor) -> Tensor:
    """(n, length) bool, True where there is a token, to an attention bias (n, 1, 1, length)."""
    return (~mask)[:, None, None, :].to(like.dtype) * -1e4


def mean(x: Tensor, mask: Tensor) -> Tensor:
    """The mean state over the tokens: (n, DIM), float32."""
    kept = mask[:, :, None].float()
    return (x.float() * kept).sum(1) / kept.sum(1)


class Embedder(Encoder):
    """A text to a unit vector: the mean of its last states, padding aside."""

    def forward(self, ids: Tensor, mask: Tensor, drop: float = 0.0) -> Tensor:
        """ids and mask (n, length) to unit rows (n, DIM)."""
        x = F.dropout(self.embed(ids), drop, self.training)
        bias = padding_bias(mask, x)
        for layer in self.layers:
            x = layer(x, *layer.keys_and_values(x), bias, drop)
        return F.normalize(mean(x, mask), dim=1)


class Reranker(Encoder):
    """Query and verse to a logit. The query does not see the verse, so it is read once.

    The score is ``scale`` times the cosine of both mean states, plus a small head that
    starts at zero.

    Args:
        pieces: the vocabulary's size.
        lower: how many layers read the verse alone; they are not trained.
    """

    def __init__(self, pieces: int, lower: int = 6) -> None:
        super().__init__(pieces)
        self.lower = lower
        self.scale = nn.Parameter(torch.tensor(20.0))
        self.mix = nn.Linear(2 * DIM, DIM)
        self.out = nn.Linear(DIM, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def freeze_lower(self) -> None:
        """Keep the embeddings and the lower layers as they are."""
        for part in (self.word, self.position, self.norm, *self.layers[: self.lower]):
            part.requires_grad_(False)

    def read_alone(self, ids: Tensor, bias: Tensor) -> Tensor:
        """The states after the lower layers, without gradient."""
        with torch.no_grad():
            x = self.embed(ids)
            for layer in self.layers[: self.lower]:
                x = layer(x, *layer.keys_and_values(x), bias, 0.0)
        return x

    def forward(
        self,
        query: Tensor,
        query_mask: Tensor,
        verse: Tensor,
        verse_mask: Tensor,
        asked: Tensor,
        drop: float = 0.0,
    ) -> Tensor:
        """Logits (verses,).

        Args:
            query: token ids (queries, length), and their mask.
            verse: token ids (verses, length), and their mask.
            asked: for each verse, the row of its query, (verses,).
        """
        query_bias = padding_bias(query_mask, self.norm.weight)
        verse_bias = padding_bias(verse_mask, self.norm.weight)
        y, x = self.read_alone(query, query_bias), self.read_alone(verse, verse_bias)
        both = torch.cat([query_bias[asked], verse_bias], 3)
        for layer in self.layers[self.lower :]:
            query_keys, query_values = layer.keys_and_values(y)
            keys, values = layer.keys_and_values(x)
            keys = torch.cat([query_keys[asked], keys], 2)
            values = torch.cat([query_values[asked], values], 2)
            x, y = (
                layer(x, keys, values, both, drop),
                layer(y, query_keys, query_values, query_bias, drop),
            )
        verse_mean, query_mean = mean(x, verse_mask), mean(y, query_mask)[asked]
        cosine = F.cosine_similarity(verse_mean, query_mean, dim=1)
        with torch.autocast(x.device.type, enabled=False):
            joined = torch.cat([verse_mean, verse_mean * query_mean], 1)
            return self.scale * cosine + self.out(torch.tanh(self.mix(joined)))[:, 0]
