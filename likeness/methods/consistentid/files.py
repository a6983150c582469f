"""ConsistentID's files."""

from ...adapters.folder import AdapterFolder
from ...choices.consistentid import FOLDER, PUBLISHED
from .adapter import parse

__all__ = ["FILES", "fingerprint", "load", "parse"]

FILES = AdapterFolder((FOLDER,), PUBLISHED, parse)
fingerprint, load = FILES.fingerprint, FILES.load
