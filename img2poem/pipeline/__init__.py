"""Photos and words to verses."""
