"""Models of every architecture the hub adapters load, tiny and with random weights.

What they say means nothing; that the real libraries load them from a folder and answer in
the right shapes is what the tests are about.
"""

from tiny_models.seeing import blip, chinese_clip, qwen3_vl, qwen_vl, vit_gpt2
from tiny_models.texts import (
    ENGLISH,
    bert_embedder,
    chat_model,
    cross_encoder,
    m3_embedder,
    marian,
)

__all__ = [
    "ENGLISH",
    "FEW_TOKENS",
    "bert_embedder",
    "blip",
    "chat_model",
    "chinese_clip",
    "cross_encoder",
    "m3_embedder",
    "marian",
    "qwen3_vl",
    "qwen_vl",
    "vit_gpt2",
]

# Random models never stop by themselves: so long do the tests let them talk.
FEW_TOKENS = {
    "hub.captioner._CAPTION_TOKENS": 8,
    "hub.captioner._DESCRIPTION_TOKENS": 8,
    "hub.translator._TOKENS": 12,
    "hub.generator._TOKENS": 8,
}
