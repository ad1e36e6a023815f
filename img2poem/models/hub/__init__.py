"""Models of the Hugging Face hub, by transformers, sentence-transformers and FlagEmbedding."""
