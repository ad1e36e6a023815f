"""Models, each in one of four seats: captioner, embedder, reranker, generator."""
