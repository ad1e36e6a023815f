"""Tokenizers, and models that read or write texts alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CHARACTERS = (
    "".join(chr(code) for code in range(0x4E00, 0x4E60)) + "月光照在床前的地上好像一层霜山水花"
)
ENGLISH = ("the", "a", "moon", "over", "snow", "mountain", "photo", "of", "river", "night")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _words() -> list[str]:
    return [*SPECIAL, *dict.fromkeys(CHARACTERS), *ENGLISH, "，", "。", "？", "：", "照", "片"]


def bert_tokenizer(folder: Path, words: Sequence[str] = ()) -> Any:
    """A WordPiece tokenizer, one token a character, or of the words given."""
    from transformers import BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    words = list(dict.fromkeys((*SPECIAL, *words) if words else _words()))
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab={word: i for i, word in enumerate(words)})
    tokenizer.model_max_length = 64
    tokenizer.save_pretrained(folder)
    return tokenizer


def bert_sizes(vocabulary: int) -> dict[str, Any]:
    return {
        "initializer_range": 0.5,  # wide enough for different texts to differ
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
    }


def bert_embedder(
    folder: Path, *, pooling: str = "cls", prompts: dict[str, str] | None = None
) -> Path:
    """A BERT embedder as sentence-transformers saves one."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel

    raw = folder / "raw"
    tokenizer = bert_tokenizer(raw)
    BertModel(BertConfig(**bert_sizes(len(tokenizer)))).save_pretrained(raw)
    modules = [Transformer(str(raw)), Pooling(32, pooling_mode=pooling), Normalize()]
    model = SentenceTransformer(modules=modules, prompts=prompts, device="cpu")
    model.save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def m3_embedder(folder: Path) -> Path:
    """An XLM-RoBERTa embedder with the extra heads that mark a BGE-M3."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaModel

    tokenizer = bert_tokenizer(folder)
    sizes = bert_sizes(len(tokenizer))
    XLMRobertaModel(XLMRobertaConfig(**sizes, pad_token_id=0)).save_pretrained(folder)
    torch.save(torch.nn.Linear(32, 32).state_dict(), folder / "colbert_linear.pt")
    torch.save(torch.nn.Linear(32, 1).state_dict(), folder / "sparse_linear.pt")
    return folder


def cross_encoder(folder: Path) -> Path:
    """A BERT cross-encoder with one score."""
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = bert_tokenizer(folder)
    config = BertConfig(**bert_sizes(len(tokenizer)), num_labels=1)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def marian(folder: Path) -> Path:
    """A Marian translation model with its two SentencePiece models."""
    import sentencepiece
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    lines = {"source": [" ".join(ENGLISH)] * 20, "target": [CHARACTERS] * 20}
    pieces: dict[str, int] = {"<unk>": 0, "</s>": 1, ">>cmn_Hans<<": 2}
    for side, text in lines.items():
        (folder / f"{side}.txt").write_text("\n".join(text), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.Train(
            input=str(folder / f"{side}.txt"),
            model_prefix=str(folder / side),
            model_type="char",
            vocab_size=500,
            hard_vocab_limit=False,
            minloglevel=3,
        )
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
        model = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{side}.spm"))
        for number in range(model.get_piece_size()):
            pieces.setdefault(model.id_to_piece(number), len(pieces))
    pieces["<pad>"] = len(pieces)
    (folder / "vocab.json").write_text(json.dumps(pieces), encoding="utf-8")
    tokenizer = MarianTokenizer(
        str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json")
    )
    tokenizer.save_pretrained(folder)
    config = MarianConfig(
        vocab_size=len(pieces),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        pad_token_id=pieces["<pad>"],
        eos_token_id=1,
        decoder_start_token_id=pieces["<pad>"],
        forced_eos_token_id=1,
        max_length=24,
    )
    MarianMTModel(config).save_pretrained(folder)
    return folder


def chat_tokenizer(folder: Path) -> Any:
    """One token a byte, with the marks of a Qwen chat and a chat template; saved to a folder."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    marks = ("im_start", "vision_start", "vision_end", "image_pad", "video_pad")
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<|{m}|>" for m in marks]})
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    return tokenizer


def chat_model(folder: Path) -> Path:
    """A small Qwen2 that chats."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(**qwen_sizes(chat_tokenizer(folder)))
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def qwen_sizes(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "bos_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
