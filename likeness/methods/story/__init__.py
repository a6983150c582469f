"""One-Prompt-One-Story: the same somebody through a story, from words alone. Spec: conditioning.md part 2."""

from ...attention import Use
from .hold import hold
from .prompt import Story, tell
from .reweight import Reweighting, expressed, reweight
from .windows import fitting, windows

__all__ = ["Reweighting", "Story", "Use", "expressed", "fitting", "hold", "reweight", "tell", "windows"]
