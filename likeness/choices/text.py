"""Texts: how words are looked for in them."""

MATCHES = ("word", "text", "regex")
