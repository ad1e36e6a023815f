"""How a large corpus is compressed, and how the recall of that is measured."""

from __future__ import annotations

import numpy as np
import pytest

from img2poem.index import quantise


def test_the_exact_tenth_is_that_of_a_full_sort() -> None:
    random = np.random.default_rng(5)
    rows = random.standard_normal((1000, 8), dtype=np.float32)
    queries = random.standard_normal((3, 8), dtype=np.float32)
    found = quantise.exact_tenth(np.split(rows, [1, 400, 990]), queries)
    assert found == pytest.approx(np.sort(queries @ rows.T, axis=1)[:, -10])


def test_a_large_corpus_gets_more_lists_and_at_most_a_quarter_of_the_bytes() -> None:
    assert quantise.plan_for(50_000, 384).exact
    assert quantise.plan_for(60_000, 384).lists < quantise.plan_for(1_000_000, 384).lists
    assert quantise.plan_for(10_000_000, 384).train <= 250_000
    for count, dim in ((60_000, 384), (1_000_000, 768), (1_000_000, 320)):
        plan = quantise.plan_for(count, dim)
        bits = int(plan.factory[-1])
        kept_beside = 24 + 8  # RaBitQ's factors, the verse's number
        size = count * (bits * dim / 8 + kept_beside) + (plan.lists + dim) * 4 * dim
        assert size <= count * dim


def test_more_lists_are_searched_until_enough_is_found() -> None:
    random = np.random.default_rng(5)
    rows = random.standard_normal((20_000, 16), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = quantise.new_index(quantise.Plan("RR16,IVF64,RaBitQ7", 64, 5000), 16, rows[:5000])
    index.add(rows)
    exam = quantise.Exam(rows[:100], quantise.exact_tenth([rows], rows[:100]), rows)
    nprobe = quantise.choose_nprobe(index, exam)
    assert nprobe == 64 or exam.recall(index, nprobe) >= quantise.RECALL_WANTED
    assert exam.recall(index, nprobe // 2) < quantise.RECALL_WANTED
