"""What the IP-Adapter family has in common: tokens, layers, files, and how they get into a MODEL."""

from .adapter import Adapter, Words
from .attend import attend, kind_of
from .layers import AdapterLayers
from .tokens import MadeWith, Tokens

__all__ = ["Adapter", "AdapterLayers", "MadeWith", "Tokens", "Words", "attend", "kind_of"]
