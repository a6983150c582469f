"""What a source does that fails on another device or system, found in its syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

#: The kinds of finding.
WIDE, DEVICE, SYSTEM, ENCODING, SLASH = RULES = ("float64", "device", "system", "encoding", "slash")

_DEVICE_NAME = re.compile(r"(cuda|mps|xpu|hip|privateuseone)(:\d+)?")
_POSIX_PLACE = re.compile(r"(/(tmp|dev|proc|sys|usr|etc|var|home|root|opt|mnt|bin)(/|$)|~/)")
_TEXT_MODE = re.compile(r"[rwax][t+]*")
_POSIX_MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix", "readline"}
_WINDOWS_MODULES = {"msvcrt", "winreg", "winsound"}
_POSIX_CALLS = {
    "os": {
        *(
            "fork",
            "forkpty",
            "getuid",
            "geteuid",
            "getgid",
            "getegid",
            "getpgid",
            "killpg",
            "setsid",
            "setuid",
        ),
        *("chown", "lchown", "mkfifo", "mknod", "uname", "nice", "getloadavg", "sched_getaffinity"),
        *("rename", "symlink"),  # on Windows: fails when the target is there; needs rights
    },
    "signal": {
        "SIGKILL",
        "SIGALRM",
        "SIGHUP",
        "SIGUSR1",
        "SIGUSR2",
        "SIGCHLD",
        "alarm",
        "setitimer",
        "pause",
    },
}
_GUARDS = {"platform", "name", "is_available", "hasattr", "system"}


class Finding(NamedTuple):
    line: int
    rule: str
    what: str


def findings(source: str) -> list[Finding]:
    """Everything in a Python source that may fail elsewhere, in the order of its lines."""
    tree = ast.parse(source)
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = {
        Finding(getattr(node, "lineno", 0), rule, what)
        for node in ast.walk(tree)
        for rule, what in _looked_at(node, above)
    }
    return sorted(found)


Above = dict[ast.AST, ast.AST]


def _looked_at(node: ast.AST, above: Above) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Attribute):
        yield from _attribute(node, above)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from _import(node, above)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from _text(node, node.value, above)
    elif isinstance(node, ast.Call):
        yield from _call(node, above)


def _attribute(node: ast.Attribute, above: Above) -> Iterator[tuple[str, str]]:
    owner = node.value.id if isinstance(node.value, ast.Name) else ""
    wide = {"float64", "double", "complex128", "DoubleTensor"}
    if owner in ("torch", "np", "numpy") and node.attr in wide and not _compared(node, above):
        yield WIDE, f"{owner}.{node.attr}"
    asked = getattr(above.get(node), "attr", "") == "is_available"
    if owner == "torch" and node.attr in ("cuda", "mps", "xpu") and not asked and not _guarded(node, above):
        yield DEVICE, f"torch.{node.attr} without asking which device it is"
    if node.attr in _POSIX_CALLS.get(owner, ()) and not _guarded(node, above):
        yield SYSTEM, f"{owner}.{node.attr}"


def _import(node: ast.Import | ast.ImportFrom, above: Above) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.ImportFrom):
        names = [node.module or ""] if not node.level else []
        wide = {"float64", "double"} & {alias.name for alias in node.names}
        if names and names[0] in ("torch", "numpy") and wide:
            yield WIDE, f"from {names[0]} import {min(wide)}"
    else:
        names = [alias.name for alias in node.names]
    for name in names:
        module = name.split(".")[0]
        if module in _POSIX_MODULES | _WINDOWS_MODULES and not _guarded(node, above):
            yield SYSTEM, f"import {module}"


def _text(node: ast.Constant, text: str, above: Above) -> Iterator[tuple[str, str]]:
    if _DEVICE_NAME.fullmatch(text) and not _compared(node, above):
        yield DEVICE, repr(text)
    if _POSIX_PLACE.match(text):
        yield SYSTEM, repr(text)
    if text in ("float64", "double", "f8") and _is_dtype(node, above):
        yield WIDE, repr(text)


def _call(node: ast.Call, above: Above) -> Iterator[tuple[str, str]]:
    given = {keyword.arg for keyword in node.keywords}
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    function = node.func.id if isinstance(node.func, ast.Name) else ""
    first = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
    if method == "double" and not node.args:
        yield WIDE, ".double()"
    if method in ("cuda", "mps", "xpu") and not isinstance(above.get(node), ast.Attribute):
        yield DEVICE, f".{method}()"
    if "encoding" not in given and _is_text(node, function, method, given):
        yield ENCODING, f"{method or function}() without encoding"
    if method in ("split", "rsplit", "partition", "rpartition") and first in ("/", "\\"):
        yield SLASH, f".{method}({first!r})"
    if "preexec_fn" in given:
        yield SYSTEM, "preexec_fn"
    if method == "symlink_to" and not _guarded(node, above):
        yield SYSTEM, "symlink_to"


def _is_text(node: ast.Call, function: str, method: str, given: set[str | None]) -> bool:
    """Whether a call reads or writes text in whatever encoding the system likes."""
    if function == "open" or method == "fdopen":
        return _is_text_mode(node, 1, bare=True)
    if method == "open":  # of a Path; other things are opened by name
        return _is_text_mode(node, 0, bare=not node.args)
    if method == "read_text":
        return not node.args
    if method == "write_text":
        return len(node.args) < 2
    if (function or method) in ("NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile"):
        return _is_text_mode(node, 0, bare=False)
    texts = [k.value for k in node.keywords if k.arg in ("text", "universal_newlines")]
    return any(isinstance(value, ast.Constant) and value.value is True for value in texts)


def _is_text_mode(node: ast.Call, place: int, bare: bool) -> bool:
    """bare: what to say of a call that names no mode."""
    modes = [k.value for k in node.keywords if k.arg == "mode"] + node.args[place : place + 1]
    if not modes:
        return bare
    mode = modes[0].value if isinstance(modes[0], ast.Constant) else None
    return isinstance(mode, str) and bool(_TEXT_MODE.fullmatch(mode))


def _is_dtype(node: ast.AST, above: Above) -> bool:
    """Whether a text is the dtype of something: `dtype=` or the argument of astype."""
    parent = above.get(node)
    if isinstance(parent, ast.keyword):
        return parent.arg == "dtype"
    return isinstance(parent, ast.Call) and getattr(parent.func, "attr", "") in ("astype", "dtype")


def _compared(node: ast.AST, above: Above) -> bool:
    """A question (`device.type == "mps"`, `dtype in (float32, float64)`) puts nothing anywhere."""
    parent = above.get(node)
    while isinstance(parent, ast.Tuple | ast.List | ast.Set):
        parent = above.get(parent)
    return isinstance(parent, ast.Compare)


def _guarded(node: ast.AST, above: Above) -> bool:
    """Under an `if` about the system or device, after such a question in the same function, or in a try."""
    here: ast.AST | None = node
    while here is not None:
        parent = above.get(here)
        if isinstance(parent, ast.Try) and here in parent.body and parent.handlers:
            return True
        if isinstance(parent, ast.If | ast.IfExp) and here is not parent.test and _asks(parent.test):
            return True
        if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
            before = parent.body[: parent.body.index(here)] if here in parent.body else []
            if any(isinstance(line, ast.If) and _asks(line.test) and _leaves(line) for line in before):
                return True
        here = parent
    return False


def _leaves(line: ast.If) -> bool:
    return isinstance(line.body[-1], ast.Return | ast.Raise | ast.Continue)


def _asks(test: ast.expr) -> bool:
    for part in ast.walk(test):
        if isinstance(part, ast.Attribute | ast.Name):
            name = part.attr if isinstance(part, ast.Attribute) else part.id
            if name in _GUARDS:
                return True
        if isinstance(part, ast.Constant) and _DEVICE_NAME.fullmatch(str(part.value)):
            return True
    return False
