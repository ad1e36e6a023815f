"""Verses: what one is, and how works become verses."""

FILES = {"ct": "ct_data.jsonl", "c": "c_data.jsonl", "select_c": "select_c_data.jsonl"}
"""The file of each corpus."""
