"""Models of every architecture the hub adapters load, tiny and with random weights.

What they say means nothing; that the real libraries load them from a folder and answer in
the right shapes is what the tests are about.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Random models never stop by themselves: so long do the tests let them talk.
FEW_TOKENS = {
    "hub.captioner._CAPTION_TOKENS": 8,
    "hub.captioner._DESCRIPTION_TOKENS": 8,
    "hub.translator._TOKENS": 12,
    "hub.generator._TOKENS": 8,
}
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
PIXELS = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


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


def _bert_sizes(vocabulary: int) -> dict[str, Any]:
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
    BertModel(BertConfig(**_bert_sizes(len(tokenizer)))).save_pretrained(raw)
    modules = [Transformer(str(raw)), Pooling(32, pooling_mode=pooling), Normalize()]
    model = SentenceTransformer(modules=modules, prompts=prompts, device="cpu")
    model.save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def m3_embedder(folder: Path) -> Path:
    """An XLM-RoBERTa embedder with the extra heads that mark a BGE-M3."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaModel

    tokenizer = bert_tokenizer(folder)
    sizes = _bert_sizes(len(tokenizer))
    XLMRobertaModel(XLMRobertaConfig(**sizes, pad_token_id=0)).save_pretrained(folder)
    torch.save(torch.nn.Linear(32, 32).state_dict(), folder / "colbert_linear.pt")
    torch.save(torch.nn.Linear(32, 1).state_dict(), folder / "sparse_linear.pt")
    return folder


def cross_encoder(folder: Path) -> Path:
    """A BERT cross-encoder with one score."""
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = bert_tokenizer(folder)
    config = BertConfig(**_bert_sizes(len(tokenizer)), num_labels=1)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def blip(folder: Path) -> Path:
    """A BLIP that captions in (random) English words."""
    from transformers import (
        BlipConfig,
        BlipForConditionalGeneration,
        BlipImageProcessor,
        BlipProcessor,
    )

    tokenizer = bert_tokenizer(folder, ENGLISH)
    config = BlipConfig(
        text_config={
            **_bert_sizes(len(tokenizer)),
            "encoder_hidden_size": 32,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "sep_token_id": 3,
            "pad_token_id": 0,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 16,
        },
    )
    BlipForConditionalGeneration(config).save_pretrained(folder)
    images = BlipImageProcessor(size={"height": 32, "width": 32})
    BlipProcessor(images, tokenizer).save_pretrained(folder)
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


def chat_tokenizer() -> Any:
    """One token a byte, with the marks of a Qwen chat and a chat template."""
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
    return tokenizer


def chat_model(folder: Path) -> Path:
    """A small Qwen2 that chats."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = chat_tokenizer()
    tokenizer.save_pretrained(folder)
    config = Qwen2Config(**_qwen_sizes(tokenizer))
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def _qwen_sizes(tokenizer: Any) -> dict[str, Any]:
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


def qwen_vl(folder: Path) -> Path:
    """A Qwen2.5-VL, saved as the published ones are."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2VLImageProcessor,
    )

    tokenizer = chat_tokenizer()
    tokenizer.save_pretrained(folder)
    ids = {m: tokenizer.convert_tokens_to_ids(f"<|{m}|>") for m in ("image_pad", "video_pad")}
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "type": "mrope"}
    config = Qwen2_5_VLConfig(
        text_config=_qwen_sizes(tokenizer) | {"rope_scaling": rope},
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["image_pad"],
        video_token_id=ids["video_pad"],
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    )
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=112 * 112).save_pretrained(folder)
    file = folder / "preprocessor_config.json"
    saved = json.loads(file.read_text()) | {"processor_class": "Qwen2_5_VLProcessor"}
    file.write_text(json.dumps(saved))
    return folder


def qwen3_vl(folder: Path) -> Path:
    """A Qwen3-VL, saved as the published ones are."""
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
    )

    tokenizer = chat_tokenizer()
    tokenizer.save_pretrained(folder)
    rope = {"rope_type": "default", "mrope_section": [2, 1, 1], "mrope_interleaved": True}
    marks = ("image_pad", "video_pad", "vision_start", "vision_end")
    image, video, start, end = (tokenizer.convert_tokens_to_ids(f"<|{m}|>") for m in marks)
    config = Qwen3VLConfig(
        text_config=_qwen_sizes(tokenizer) | {"head_dim": 8, "rope_scaling": rope},
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "deepstack_visual_indexes": [0],
            "num_position_embeddings": 16,
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    Qwen3VLForConditionalGeneration(config).save_pretrained(folder)
    images = Qwen2VLImageProcessor(min_pixels=64 * 64, max_pixels=128 * 128, patch_size=16)
    images.save_pretrained(folder)
    file = folder / "preprocessor_config.json"
    saved = json.loads(file.read_text()) | {
        "processor_class": "Qwen3VLProcessor",
        "image_processor_type": "Qwen2VLImageProcessorFast",
    }
    file.write_text(json.dumps(saved))
    return folder


def vit_gpt2(folder: Path) -> Path:
    """A vision encoder and a text decoder put together, with no processor of its own."""
    from transformers import (
        BertConfig,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessor,
    )

    tokenizer = bert_tokenizer(folder, ENGLISH)
    eyes = ViTConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=32,
        patch_size=16,
    )
    mouth = BertConfig(**_bert_sizes(len(tokenizer)), is_decoder=True, add_cross_attention=True)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(eyes, mouth)
    model = VisionEncoderDecoderModel(config=config)
    model.generation_config.decoder_start_token_id = 2
    model.generation_config.pad_token_id = 0
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def chinese_clip(folder: Path) -> Path:
    """A Chinese-CLIP."""
    from transformers import (
        ChineseCLIPConfig,
        ChineseCLIPImageProcessor,
        ChineseCLIPModel,
        ChineseCLIPProcessor,
    )

    tokenizer = bert_tokenizer(folder)
    config = ChineseCLIPConfig(
        text_config=_bert_sizes(len(tokenizer)),
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 16,
        },
        projection_dim=16,
    )
    ChineseCLIPModel(config).save_pretrained(folder)
    images = ChineseCLIPImageProcessor(
        size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32}
    )
    ChineseCLIPProcessor(images, tokenizer).save_pretrained(folder)
    return folder
