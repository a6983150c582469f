"""Ready for Windows, macOS and any GPU, as far as sources show it. The devices themselves: tests/device."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.portability import DEVICE, ENCODING, RULES, SLASH, SYSTEM, WIDE, findings

from installer.paths import REPOSITORY

ROOMS = ("likeness", "nodes", "training", "installer", "tools", "workflows/examples")
#: What people run by hand, beside the rooms.
FILES = ("__init__.py", "install.py")

#: Where float64 may be named, and why nothing of it can be on a device: MPS has no float64 at all.
GEOMETRY = "maps and points of Face and Crops, which values.py puts on the CPU"
VECTORS = "vectors of an Identity, which values.py puts on the CPU"
CPU_ONLY = {
    "likeness/algebra/compare.py": VECTORS,
    "likeness/cast/assigning.py": VECTORS,
    "likeness/algebra/strangers.py": VECTORS,
    "likeness/algebra/copy_paste.py": VECTORS,
    "likeness/algebra/mix.py": VECTORS,
    "likeness/algebra/sample.py": VECTORS,
    "likeness/cast/places.py": GEOMETRY,
    "likeness/identity/compared.py": VECTORS,
    "likeness/text/exact.py": "rows of a prompt, put on the CPU in the same step",
    "likeness/expressions/crop.py": "a uint8 picture of rgb8, which is on the CPU, and landmarks put there",
    "likeness/expressions/templates.py": GEOMETRY,
    "likeness/faces/align.py": GEOMETRY,
    "likeness/faces/edit_keypoints.py": GEOMETRY,
    "likeness/faces/ffhq.py": GEOMETRY,
    "likeness/faces/host_landmarks.py": "put on the CPU first, in a step of its own",
    "likeness/faces/mesh.py": GEOMETRY,
    "likeness/faces/parsing.py": "row numbers, counted on the CPU",
    "likeness/faces/paste.py": GEOMETRY,
    "likeness/faces/resample.py": GEOMETRY,
    "likeness/faces/squares.py": GEOMETRY,
    "likeness/faces/template.py": GEOMETRY,
    "likeness/faces/turned.py": GEOMETRY,
}
#: Where a text is cut at slashes, and why it is no path of the system.
NAMES = "subpaths of the catalogue, which have slashes on every system"
SLASHED = {
    "likeness/faces/foreign_models.py": NAMES,
    "likeness/weights/find.py": NAMES,
    "likeness/weights/listing.py": NAMES,
    "likeness/weights/download.py": "a URL",
    "likeness/weights/transfer.py": "an HTTP header",
    "likeness/weights/answers.py": "an HTTP header",
    "installer/models.py": NAMES,
    "installer/comfyui.py": "names of git's",
    "tools/locales.py": "the categories of nodes",
}
#: Where something is called that not every system has, and what asks for it first.
ASKED = {"installer/browser.py": "sys.platform is linux", "tools/chromium.py": "hasattr(os, name)"}
ALLOWED: dict[str, dict[str, str]] = {WIDE: CPU_ONLY, SLASH: SLASHED, SYSTEM: ASKED, DEVICE: {}, ENCODING: {}}


def sources() -> list[Path]:
    found = [path for room in ROOMS for path in sorted((REPOSITORY / room).rglob("*.py"))]
    return [*found, *(REPOSITORY / name for name in FILES)]


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def rules_of(source: str) -> list[str]:
    return [finding.rule for finding in findings(source)]


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_nothing_fails_on_another_device_or_system(path: Path) -> None:
    found = findings(path.read_text(encoding="utf-8"))
    wrong = [f for f in found if name_of(path) not in ALLOWED[f.rule]]
    assert not wrong, "; ".join(f"{name_of(path)}:{line}: {rule}: {what}" for line, rule, what in wrong)


@pytest.mark.parametrize("rule", RULES)
def test_the_allowed_places_are_still_there(rule: str) -> None:
    """An exception that is no longer needed would hide the next one."""
    for name in ALLOWED[rule]:
        assert rule in rules_of((REPOSITORY / name).read_text(encoding="utf-8")), f"{name}: take it out"


def test_no_room_that_runs_on_the_device_may_name_float64() -> None:
    on_device = ("attention/", "adapters/", "control/", "sampling/", "methods/", "host/")
    assert not [name for name in CPU_ONLY if name.removeprefix("likeness/").startswith(on_device)]


# The checker itself: each kind, planted


PLANTED = {
    WIDE: (
        "x.to(torch.float64)",
        "x.double()",
        "torch.zeros(3, dtype=torch.double)",
        "np.zeros(3, np.float64)",
        "np.zeros(3, dtype='float64')",
        "x.astype('double')",
        "from torch import float64",
        "if x.dtype == torch.float64:\n    x = x.to(torch.float64)",
    ),
    DEVICE: (
        "x.cuda()",
        "x.to('cuda')",
        "torch.device('cuda:0')",
        "torch.zeros(3, device='mps')",
        "torch.cuda.empty_cache()",
        "def f(device: str = 'cuda') -> None: ...",
    ),
    SYSTEM: (
        "open('/tmp/x', 'rb')",
        "Path('~/models')",
        "os.fork()",
        "import fcntl",
        "def f():\n    import resource",
        "import msvcrt",
        "os.kill(process, signal.SIGKILL)",
        "os.rename(a, b)",
        "link.symlink_to(source)",
        "subprocess.Popen(command, preexec_fn=f)",
    ),
    ENCODING: (
        "open(path)",
        "open(path, 'w')",
        "path.open()",
        "path.open('a')",
        "path.open(mode='r')",
        "path.read_text()",
        "path.write_text(text)",
        "path.write_text(text, newline='\\n')",
        "tempfile.NamedTemporaryFile('w')",
        "subprocess.run(command, text=True)",
    ),
    SLASH: ("str(path).split('/')", "name.rsplit('/', 1)[-1]", "str(path).rpartition('\\\\')"),
}
SOUND = (
    "wide = x.dtype in (torch.float32, torch.float64)",
    "x.to(torch.float32)",
    "def f():\n    'float64 on the CPU, never cuda.'",
    "if device.type != 'cuda':\n    pass",
    "def f(device):\n    if device.type != 'cuda':\n        return\n    torch.cuda.mem_get_info(device)",
    "fast = torch.cuda.is_available()",
    "if sys.platform == 'win32':\n    import msvcrt\nelse:\n    import fcntl",
    "try:\n    import resource\nexcept ImportError:\n    resource = None",
    "try:\n    link.symlink_to(source)\nexcept OSError:\n    pass",
    "path.open('rb')",
    "path.open('a', encoding='utf-8')",
    "open(path, encoding='utf-8')",
    "path.read_text(encoding='utf-8')",
    "path.write_text(text, encoding='utf-8')",
    "FaceModels.open('embedded', 'CPU')",
    "Image.open(path)",
    "subprocess.run(command, encoding='utf-8')",
    "text.split(',')",
    "url = folder / 'name'",
)


@pytest.mark.parametrize(("rule", "source"), [(rule, s) for rule, many in PLANTED.items() for s in many])
def test_a_planted_violation_is_found(rule: str, source: str) -> None:
    assert rules_of(source) == [rule]


@pytest.mark.parametrize("source", SOUND)
def test_sound_code_passes(source: str) -> None:
    assert rules_of(source) == []
