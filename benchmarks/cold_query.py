"""A cold query against the same job done the original way.

    pip install langchain-community langchain-huggingface sentence-transformers
    python benchmarks/cold_query.py

Both sides are new processes, index on disk, one question in words: ours is
``img2poem query``; the other imports LangChain's FAISS store with HuggingFace embeddings and
a cross-encoder, of the original's sizes (bge-base-zh: 12 layers of 768, 21,128 pieces;
bge-reranker-base: 12 layers of 768, 250,002 pieces), with as many documents as the shipped
corpus has. Its weights are random, since only time and memory are compared. The two take
turns; medians, and the median of the ratios, are printed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

QUESTION = "雪夜 江上 一叶孤舟 老翁钓鱼"
ROUNDS = 5
DOCUMENTS = 9_183

ORIGINAL = """
import sys
from langchain_community.cross_encoders import HuggingFaceCrossEncoder
from langchain_community.vectorstores import FAISS
from langchain_huggingface import HuggingFaceEmbeddings

folder, question = sys.argv[1:]
embeddings = HuggingFaceEmbeddings(model_name=folder + "/embedder")
store = FAISS.load_local(folder + "/store", embeddings, allow_dangerous_deserialization=True)
found = store.similarity_search(question, k=50)
reranker = HuggingFaceCrossEncoder(model_name=folder + "/reranker")
scores = reranker.score([(question, document.page_content) for document in found])
print(max(zip(scores, (document.page_content for document in found)))[1])
"""


def make_original(folder: Path) -> None:
    """Random models of the original's sizes and a LangChain FAISS store."""
    import numpy as np
    from langchain_community.vectorstores import FAISS
    from langchain_huggingface import HuggingFaceEmbeddings
    from sentence_transformers import SentenceTransformer, models
    from transformers import (
        BertConfig,
        BertModel,
        XLMRobertaConfig,
        XLMRobertaForSequenceClassification,
    )

    plain = folder / "bert"
    BertModel(BertConfig(vocab_size=21_128)).save_pretrained(plain)
    save_tokenizer(plain, 21_128)
    layers = [models.Transformer(str(plain)), models.Pooling(768, "cls"), models.Normalize()]
    SentenceTransformer(modules=layers).save(str(folder / "embedder"))
    config = XLMRobertaConfig(vocab_size=250_002, num_labels=1, max_position_embeddings=514)
    XLMRobertaForSequenceClassification(config).save_pretrained(folder / "reranker")
    save_tokenizer(folder / "reranker", 250_002)
    vectors = np.random.default_rng(0).standard_normal((DOCUMENTS, 768)).astype(np.float32)
    texts = [f"第{n}句诗，春江花月夜。" for n in range(DOCUMENTS)]
    store = FAISS.from_embeddings(
        list(zip(texts, vectors.tolist(), strict=True)),
        HuggingFaceEmbeddings(model_name=str(folder / "embedder")),
    )
    store.save_local(str(folder / "store"))


def save_tokenizer(folder: Path, size: int) -> None:
    """A character tokenizer whose vocabulary has the size of the original's."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    characters = [chr(0x4E00 + n) for n in range(min(size, 20_000))]
    filler = [f"piece{n}" for n in range(size - len(special) - len(characters))]
    vocabulary = {piece: n for n, piece in enumerate(special + characters + filler)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=512,
    ).save_pretrained(folder)


def measure(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory in MB of a new process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status != 0:
        sys.exit(f"{command[0]} failed: {said.decode()[-2000:]}")
    return seconds, usage.ru_maxrss / 1024


def main() -> None:
    """Make the original's side, then time both in turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own: what it imports must not warm this one.
        subprocess.run([sys.executable, __file__, "--make", name], check=True)
        ours = [str(Path(sys.executable).with_name("img2poem")), "query", QUESTION]
        theirs = [sys.executable, "-c", ORIGINAL, str(folder), QUESTION]
        measure(ours), measure(theirs)  # files get cached
        rows = [(measure(ours), measure(theirs)) for _ in range(ROUNDS)]
    for label, side in (("img2poem query", 0), ("the original way", 1)):
        seconds = [row[side][0] for row in rows]
        memory = statistics.median(row[side][1] for row in rows)
        print(
            f"{label:18}{statistics.median(seconds):7.2f} s "
            f"({min(seconds):.2f} to {max(seconds):.2f}){memory:8.0f} MB"
        )
    faster = statistics.median(b[0] / a[0] for a, b in rows)
    smaller = statistics.median(a[1] / b[1] for a, b in rows)
    print(f"{faster:.1f} times faster, {smaller:.2f} of its memory")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make_original(Path(sys.argv[2]))
    else:
        main()
