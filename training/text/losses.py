"""What the embedder is trained for: vectors and tokens that find their text."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from model import Reading
from sources import Batch
from torch import Tensor

TEMPERATURE = 0.03
REVERSE_WEIGHT = 0.5
TOKENS_WEIGHT = 0.5
BOTH_WEIGHT = 0.5
TEACHING_WEIGHT = 0.3
# The sum of two logits is sharper than either; this brings it back.
SUM_SCALE = 0.6
# Token against token costs memory, so so many queries of a batch are compared that way.
TOKEN_QUERIES = 64
# Of occasions many are the same in other words.
SAME_QUERY = 0.7
# A teacher's view of a batch, as sharp as its cosines make it at this temperature, against the
# labels: labels say which text is right, a teacher also how right the others are.
TAUGHT_TEMPERATURE, TAUGHT_WEIGHT, LABELS_WEIGHT = 0.04, 3.0, 0.45
# How near two texts that have nothing to do with each other may lie; guessed, not tuned.
STRANGERS, STRANGE_TOKENS, AWAY_WEIGHT = 0.22, 0.35, 4.0


def everyone(queries: Reading, texts: Reading) -> Tensor:
    """How far the tokens of each query and each text find each other: (queries, texts)."""
    alike = torch.einsum("aqd,btd->aqbt", queries.tokens, texts.tokens)
    alike = alike.masked_fill((texts.shares == 0)[None, None], -2.0)
    alike = alike.masked_fill((queries.shares == 0)[:, :, None, None], -2.0)
    asked = (alike.amax(3) * queries.shares[:, :, None]).sum(1)
    found = (alike.amax(1) * texts.shares[None]).sum(2)
    return (asked + found) / 2


def its_own(queries: Reading, texts: Reading) -> Tensor:
    """The same for each query's own texts alone: (queries, texts a query)."""
    size, each = len(queries.tokens), len(texts.tokens) // len(queries.tokens)
    tokens = texts.tokens.unflatten(0, (size, each))
    shares = texts.shares.unflatten(0, (size, each))
    alike = torch.einsum("bqd,bktd->bkqt", queries.tokens, tokens)
    alike = alike.masked_fill((shares == 0)[:, :, None], -2.0)
    alike = alike.masked_fill((queries.shares == 0)[:, None, :, None], -2.0)
    asked = (alike.amax(3) * queries.shares[:, None]).sum(2)
    found = (alike.amax(2) * shares).sum(2)
    return (asked + found) / 2


def part(reading: Reading, rows: slice) -> Reading:
    """Some of the texts of a reading, less the padding that none of them needs."""
    longest = int((reading.shares[rows] > 0).sum(1).max())
    return Reading(
        reading.vectors[rows], reading.tokens[rows, :longest], reading.shares[rows, :longest]
    )


def loss(reading: Reading, batch: Batch) -> Tensor:
    """InfoNCE for the vectors, both ways; for the tokens; for their sum; and sum teaches vector.

    Equal texts are never each other's negatives. Captions have vectors alone. What poetry does
    not speak of is kept away from verses.

    Args:
        reading: of the batch's queries, texts and hard negatives, in this order.
        batch: what was read.
    """
    size = len(batch.queries)
    if batch.source == "not_poetry":
        return _keep_away(part(reading, slice(0, size)), part(reading, slice(size, None)))
    scores = reading.vectors[:size] @ reading.vectors[size:].T / TEMPERATURE
    same = _same(batch).to(scores.device)
    if batch.source == "occasions":
        same |= _say_the_same(reading.vectors[:size])
    scores = scores.masked_fill(same, -1e4)
    own = torch.arange(size, device=scores.device)
    backward = F.cross_entropy(scores[:, :size].T, own)
    total = F.cross_entropy(scores, own) + REVERSE_WEIGHT * backward
    if batch.source == "captions":
        return total
    few = min(size, TOKEN_QUERIES)
    queries = part(reading, slice(0, few))
    with torch.autocast(scores.device.type, dtype=torch.bfloat16):
        agreed = everyone(queries, part(reading, slice(size, size + few))).float() / TEMPERATURE
    agreed = agreed.masked_fill(same[:few, :few], -1e4)
    vector = scores[:few, :few]
    if batch.hard:
        each = len(batch.hard) // size
        hard = part(reading, slice(2 * size, 2 * size + few * each))
        places = size + torch.arange(few * each, device=own.device).view(few, each)
        wrong = (its_own(queries, hard) / TEMPERATURE).masked_fill(
            same[:few].gather(1, places), -1e4
        )
        agreed = torch.cat([agreed, wrong], 1)
        vector = torch.cat([vector, scores[:few].gather(1, places)], 1)
    both = SUM_SCALE * (vector + agreed)
    teaching = F.kl_div(vector.log_softmax(1), both.detach().softmax(1), reduction="batchmean")
    return (
        total
        + TOKENS_WEIGHT * F.cross_entropy(agreed, own[:few])
        + BOTH_WEIGHT * F.cross_entropy(both, own[:few])
        + TEACHING_WEIGHT * teaching
    )


def taught_loss(reading: Reading, batch: Batch, cosines: Tensor) -> Tensor:
    """The labels' loss, and how far the vectors are from ranking the batch as teachers do.

    Args:
        reading: of the batch's queries, texts, hard negatives and near texts, in this order.
        batch: what was read.
        cosines: the teachers', (queries, all other texts).
    """
    size = len(batch.queries)
    labelled = part(reading, slice(0, 2 * size + len(batch.hard)))
    labels = loss(labelled, batch._replace(near=()))
    same = _same(batch).to(reading.vectors.device)
    cosines = cosines.to(reading.vectors.device)

    def logits(values: Tensor) -> Tensor:
        return values.masked_fill(same, -4.0) / TAUGHT_TEMPERATURE

    ours = logits(reading.vectors[:size] @ reading.vectors[size:].T)
    theirs = logits(cosines)
    forward = F.kl_div(ours.log_softmax(1), theirs.softmax(1), reduction="batchmean")
    ours, theirs = ours[:, :size].T, theirs[:, :size].T
    backward = F.kl_div(ours.log_softmax(1), theirs.softmax(1), reduction="batchmean")
    return LABELS_WEIGHT * labels + TAUGHT_WEIGHT * (forward + REVERSE_WEIGHT * backward)


def _keep_away(queries: Reading, texts: Reading) -> Tensor:
    """Nothing while query and text are no nearer than strangers are."""
    cosines = queries.vectors @ texts.vectors.T
    some = part(texts, slice(0, 2 * len(queries.vectors)))
    agreed = its_own(queries, some)
    return AWAY_WEIGHT * (
        F.relu(cosines - STRANGERS).pow(2).sum(1).mean()
        + F.relu(agreed - STRANGE_TOKENS).pow(2).sum(1).mean()
    )


def _say_the_same(queries: Tensor) -> Tensor:
    """Which other queries are so near a query that their texts may answer it as well."""
    near = (queries @ queries.T).detach() > SAME_QUERY
    return near.fill_diagonal_(False)


def _same(batch: Batch) -> Tensor:
    """Which texts (columns) are as good for a query (row) as its own."""
    size = len(batch.queries)
    texts = np.array([hash(row.tobytes()) for row in (*batch.texts, *batch.hard, *batch.near)])
    queries = np.array([hash(row.tobytes()) for row in batch.queries])
    same = texts[:size, None] == texts[None]
    same[:, :size] |= queries[:, None] == queries[None]
    np.fill_diagonal(same, False)
    return torch.from_numpy(same)
