"""Models that see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny_models.texts import ENGLISH, bert_sizes, bert_tokenizer, chat_tokenizer, qwen_sizes

EYES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 16,
}
QWEN_EYES = {
    "depth": 2,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_heads": 2,
    "out_hidden_size": 32,
}
SQUARE = {"height": 32, "width": 32}


def _mark_ids(tokenizer: Any) -> dict[str, int]:
    """The ids that a Qwen's config has for the marks of its chat."""
    names = {
        "image_token_id": "image_pad",
        "video_token_id": "video_pad",
        "vision_start_token_id": "vision_start",
        "vision_end_token_id": "vision_end",
    }
    return {n: tokenizer.convert_tokens_to_ids(f"<|{mark}|>") for n, mark in names.items()}


def _name_processor(folder: Path, **names: str) -> None:
    """Write into a saved image processor's file which classes are to read it."""
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | names))


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
            **bert_sizes(len(tokenizer)),
            "encoder_hidden_size": 32,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "sep_token_id": 3,
            "pad_token_id": 0,
        },
        vision_config=EYES,
    )
    BlipForConditionalGeneration(config).save_pretrained(folder)
    images = BlipImageProcessor(size=SQUARE)
    BlipProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def qwen_vl(folder: Path) -> Path:
    """A Qwen2.5-VL, saved as the published ones are."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2VLImageProcessor,
    )

    tokenizer = chat_tokenizer(folder)
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "type": "mrope"}
    config = Qwen2_5_VLConfig(
        text_config=qwen_sizes(tokenizer) | {"rope_scaling": rope},
        vision_config=QWEN_EYES | {"fullatt_block_indexes": [1]},
        **_mark_ids(tokenizer),
    )
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=112 * 112).save_pretrained(folder)
    _name_processor(folder, processor_class="Qwen2_5_VLProcessor")
    return folder


def qwen3_vl(folder: Path) -> Path:
    """A Qwen3-VL, saved as the published ones are."""
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
    )

    tokenizer = chat_tokenizer(folder)
    rope = {"rope_type": "default", "mrope_section": [2, 1, 1], "mrope_interleaved": True}
    config = Qwen3VLConfig(
        text_config=qwen_sizes(tokenizer) | {"head_dim": 8, "rope_scaling": rope},
        vision_config=QWEN_EYES | {"deepstack_visual_indexes": [0], "num_position_embeddings": 16},
        **_mark_ids(tokenizer),
    )
    Qwen3VLForConditionalGeneration(config).save_pretrained(folder)
    images = Qwen2VLImageProcessor(min_pixels=64 * 64, max_pixels=128 * 128, patch_size=16)
    images.save_pretrained(folder)
    _name_processor(
        folder,
        processor_class="Qwen3VLProcessor",
        image_processor_type="Qwen2VLImageProcessorFast",
    )
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
    eyes = ViTConfig(**EYES)
    mouth = BertConfig(**bert_sizes(len(tokenizer)), is_decoder=True, add_cross_attention=True)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(eyes, mouth)
    model = VisionEncoderDecoderModel(config=config)
    model.generation_config.decoder_start_token_id = 2
    model.generation_config.pad_token_id = 0
    model.save_pretrained(folder)
    ViTImageProcessor(size=SQUARE).save_pretrained(folder)
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
        text_config=bert_sizes(len(tokenizer)),
        vision_config=EYES,
        projection_dim=16,
    )
    ChineseCLIPModel(config).save_pretrained(folder)
    images = ChineseCLIPImageProcessor(size=SQUARE, crop_size=SQUARE)
    ChineseCLIPProcessor(images, tokenizer).save_pretrained(folder)
    return folder
