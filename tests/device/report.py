"""A report that people can share: plain text without their folders or names."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

_PACKAGES = ("torch", "numpy", "safetensors", "xformers", "comfy-aimdo", "comfy-kitchen")
#: Anybody's home folder; a name may hold spaces where something follows it.
_HOME = re.compile(r"(?i)([a-z]:)?[/\\]+(home|users)[/\\]+([^/\\:'\"\n]+(?=[/\\])|[^/\\\s'\"]+)")
REPOSITORY = Path(__file__).resolve().parents[2]


class Report:
    """Lines, shown as they come; private: folders that must not be named."""

    def __init__(self, private: Sequence[Path]) -> None:
        self._private = sorted({str(p) for path in private for p in (path, path.resolve())}, key=len)[::-1]
        self._lines: list[str] = []
        self._ok = self._failed = 0

    @property
    def sound(self) -> bool:
        return self._ok > 0 and not self._failed

    def line(self, text: str) -> None:
        text = self._shareable(text)
        self._lines.append(text)
        print(text, flush=True)

    def head(self, device: torch.device) -> None:
        """Versions and the device."""
        import comfy.model_management
        import comfyui_version

        self.line("Likeness: device report")
        self.line(f"device   {comfy.model_management.get_torch_device_name(device)}")
        self.line(f"system   {platform.system()} {platform.release()} {platform.machine()}")
        versions = [f"Python {platform.python_version()}", f"ComfyUI {comfyui_version.__version__}"]
        versions += [f"{name} {found}" for name in _PACKAGES if (found := _version(name))]
        self.line(f"versions {', '.join(versions)}")
        built = {"CUDA": torch.version.cuda, "ROCm": torch.version.hip}
        self.line(
            f"torch    {', '.join(f'{k} {v}' for k, v in built.items() if v) or 'without CUDA and ROCm'}"
        )
        self.line("")

    @contextmanager
    def check(self, name: str) -> Iterator[Callable[[str], None]]:
        """One line: ok, or failed and why. The function that comes adds remarks."""
        said: list[str] = []
        try:
            yield said.append
        except Exception as error:  # whatever it is, it goes into the report, and the next check runs
            self._failed += 1
            said.append(f"{type(error).__name__}: {str(error).strip()[:400]} ({_place(error)})")
            self.line(f"FAILED  {name}: {'; '.join(said)}")
            return
        self._ok += 1
        self.line(f"ok      {name}: {'; '.join(said)}")

    def left_out(self, dtype: torch.dtype, why: str) -> None:
        self.line(f"-       {str(dtype).removeprefix('torch.')}: {why}")

    def write(self, path: Path) -> None:
        self.line("")
        self.line(f"{self._ok} ok, {self._failed} failed")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(self._lines) + "\n", encoding="utf-8")
        print(f"Saved as {path}", flush=True)

    def _shareable(self, text: str) -> str:
        for folder in self._private:
            text = text.replace(folder, "...").replace(folder.replace("\\", "\\\\"), "...")
        return _HOME.sub("...", text)


def _place(error: BaseException) -> str:
    """The last line of ours on the way to an error."""
    steps = traceback.extract_tb(error.__traceback__)
    ours = [step for step in steps if Path(step.filename).resolve().is_relative_to(REPOSITORY)]
    step = (ours or steps)[-1]
    return f"{Path(step.filename).name}:{step.lineno}"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
