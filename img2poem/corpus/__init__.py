"""Verses: what one is, and how works become verses."""
