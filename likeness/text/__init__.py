"""Which rows of a CONDITIONING belong to which words, and when it acts. Spec: conditioning.md section 0."""

from ..choices.text import MATCHES
from .layout import Columns, columns_of
from .matches import Match, rows_of
from .prompt import Prompt, check_made_from, encode, moved, read
from .ranges import split_at
from .spans import TokenSpan, normal, word_rows

__all__ = [
    "MATCHES",
    "Columns",
    "Match",
    "Prompt",
    "TokenSpan",
    "check_made_from",
    "columns_of",
    "encode",
    "moved",
    "normal",
    "read",
    "rows_of",
    "split_at",
    "word_rows",
]
