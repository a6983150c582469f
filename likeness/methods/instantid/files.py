"""InstantID's adapter files."""

from ...adapters.folder import AdapterFolder
from ...choices.instantid import FOLDER, PUBLISHED
from .adapter import parse

FILES = AdapterFolder((FOLDER,), PUBLISHED, parse)
fingerprint, load = FILES.fingerprint, FILES.load
