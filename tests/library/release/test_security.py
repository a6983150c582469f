"""What SECURITY.md promises of the code: nothing in it runs code from files, or a shell."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.paths import REPOSITORY

ROOMS = ("nodes", "likeness", "installer", "training", "batch", "proof", "tools", "workflows/examples")
#: Calls by their last two names. A single name is a built-in's.
_NEVER = {
    *("eval", "exec", "compile", "__import__"),
    *("os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "marshal.loads", "marshal.load"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "dill.load", "dill.loads", "joblib.load"),
}
#: Calls that need a keyword with this value, and calls that must not have one with another.
_ONLY_WITH = {"torch.load": ("weights_only", True)}
_NEVER_WITH = {"shell": False, "allow_pickle": False, "trust_remote_code": False}
#: Between a driver of ours and its own workers on a cluster, who run its code anyway.
_KNOWN = ("batch/actor.py", "pickle.loads")


def sources() -> list[Path]:
    found = [path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py")]
    return [*found, REPOSITORY / "install.py", REPOSITORY / "__init__.py"]


def faults(text: str) -> Iterator[str]:
    """Each call that SECURITY.md says there is not, as `line: call`."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        whole = ast.unparse(node.func)
        name = ".".join(whole.split(".")[-2:])
        values = {word.arg: word.value for word in node.keywords}
        if name in _NEVER:
            yield f"{node.lineno}: {name}"
        for word in _NEVER_WITH.keys() & values.keys():
            given = values[word]
            if not (isinstance(given, ast.Constant) and given.value is _NEVER_WITH[word]):
                yield f"{node.lineno}: {name} with {word}"
        if name in _ONLY_WITH:
            word, wanted = _ONLY_WITH[name]
            given = values.get(word)
            if not (isinstance(given, ast.Constant) and given.value is wanted):
                yield f"{node.lineno}: {name} without {word}={wanted}"


def test_no_source_runs_code_from_files_or_a_shell() -> None:
    paths = sources()
    assert len(paths) > 300
    found = [
        f"{path.relative_to(REPOSITORY)}:{fault}"
        for path in paths
        for fault in faults(path.read_text(encoding="utf-8"))
        if not (path.relative_to(REPOSITORY).as_posix() == _KNOWN[0] and fault.endswith(_KNOWN[1]))
    ]
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "eval(text)",
        "pickle.loads(text)",
        "subprocess.run(text, shell=True)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "os.system(text)",
    ],
)
def test_each_of_them_would_be_found(line: str) -> None:
    assert len(list(faults(line))) == 1


def test_what_is_sound_is_not_called_a_fault() -> None:
    assert not list(
        faults("network.eval()\nre.compile(text)\ntorch.load(path, weights_only=True)\nrun(shell=False)")
    )


def test_the_page_names_what_there_is() -> None:
    """A variable or a file that SECURITY.md names is one."""
    text = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
    assert (REPOSITORY / "likeness" / "weights" / "catalogue.toml").is_file() and "catalogue.toml" in text
    code = "".join(
        path.read_text(encoding="utf-8") for path in (REPOSITORY / "likeness" / "weights").glob("*.py")
    )
    for name in ("LIKENESS_NO_DOWNLOADS", "HF_TOKEN"):
        assert name in text and name in code
