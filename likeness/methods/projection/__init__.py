"""Words projected out of a prompt, after the formula of DECOR's paper. Spec: conditioning.md part 3."""

from ...attention import Use
from .apply import Projection, project
from .basis import basis, project_out

__all__ = ["Projection", "Use", "basis", "project", "project_out"]
