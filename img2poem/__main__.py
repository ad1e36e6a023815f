"""``python -m img2poem``."""

from img2poem.cli import script

script()
