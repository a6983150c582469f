"""Attention that looks at more than the prompt: the engine, its sources, and how they are used."""

from .use import Use

__all__ = ["Use"]
