"""Names that people give to files: one check for all of them, the same on every system.

What Windows can't take is refused on Linux, too: a folder of models moves between the two, and a single
name that does not come along breaks the copy.
"""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

#: Characters that no file name on Windows holds. The slashes divide folders.
_FORBIDDEN = '<>:"|?*'
#: What Windows takes for a device, whatever follows after a dot.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
#: Bytes of a name. File systems take 255; number, ending and what marks an unfinished file come to it.
LONGEST = 200


def check_prefix(prefix: str, what: str, directory: str, input_id: str = "filename_prefix") -> str:
    """The prefix as the host takes it: folders with `/` between, nothing around it.

    what: the thing's name for messages ("identity"); directory: where it would be written; input_id: the
    node's input. Raises ValueError for what is empty, leads out, or could not be a file name everywhere.
    """
    slashed = prefix.strip().replace("\\", "/")
    parts = PurePosixPath(slashed).parts
    if not parts or slashed.endswith("/"):
        raise ValueError(f"{input_id} is empty: give the {what} a name, such as anna or family/anna.")
    if parts[0].startswith("/") or ".." in parts:
        raise ValueError(
            f"{input_id} {_short(prefix)!r} leads out of {directory}. Write a name, with folders below it if "
            "you like: family/anna."
        )
    for part in parts:
        wrong = _wrong_with(part)
        if wrong:
            raise ValueError(f"{input_id} {_short(prefix)!r} can't name a file on every system: {wrong}.")
    return "/".join(parts)


def _wrong_with(part: str) -> str:
    """Why a name between slashes is none, or nothing."""
    bad = [sign for sign in part if sign in _FORBIDDEN or unicodedata.category(sign) in ("Cc", "Cs")]
    if bad:
        return f"{_short(part)!r} holds {bad[0]!r}. Leave it out"
    if part.endswith((".", " ")):
        return f"{_short(part)!r} ends in a {'dot' if part.endswith('.') else 'space'}, which Windows drops"
    if part.split(".")[0].strip().lower() in _DEVICES:
        return f"Windows keeps the name {part.split('.')[0]!r} for a device. Take another"
    if len(part.encode()) > LONGEST:
        return f"{_short(part)!r} has {len(part.encode())} bytes, and {LONGEST} are the most. Shorten it"
    return ""


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
