"""Face models that another pack loaded: insightface's FaceAnalysis, known by what it can do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .models import DETECTOR_OUTPUTS, wrap_detector
from .recognise import Recogniser, wrap_recogniser
from .recogniser_files import believe, recogniser_files, recogniser_in

log = logging.getLogger(__name__)

#: How deep a FaceAnalysis may lie in what holds it; a mapping may hold itself.
_DEPTH = 4


@dataclass(frozen=True)
class ForeignModels:
    """A foreign detector and its recogniser, used through their sessions: the owner's settings stay."""

    name: str
    networks: Mapping[str, Recogniser]
    found_by: Any

    @property
    def recognisers(self) -> list[str]:
        return list(self.networks)

    def detector(self) -> Any:
        return self.found_by

    def recogniser(self, name: str) -> Recogniser:
        """Raises ValueError with the name there is."""
        if name not in self.networks:
            has = ", ".join(self.networks) or "none"
            raise ValueError(
                f"The foreign face models {self.name} have no recogniser {name}; they have: {has}. Let their "
                "loader open other files, or use Load Face Models."
            )
        return self.networks[name]

    def __repr__(self) -> str:
        return f"ForeignModels({self.name}: {', '.join(self.networks) or 'no recogniser'})"


def wrap_analysis(value: Any) -> ForeignModels:
    """Face models out of a FaceAnalysis, or of what holds one: a tuple, a mapping, a wrapper of a pack.

    The recogniser is named after its file, see `recogniser_name`. Raises ValueError when there is no
    FaceAnalysis or its detector gives no five points, BrokenModel for an odd recogniser.
    """
    models = _models_in(value)
    if models is None:
        raise ValueError(
            f"face_analysis must be insightface's FaceAnalysis, as the loaders of InstantID, PuLID and "
            f"IPAdapter packs give it, not {type(value).__name__}. For files use Load Face Models."
        )
    detector = models["detection"]
    _check_detector(detector)
    networks: dict[str, Recogniser] = {}
    recogniser: Any = models.get("recognition")
    if _is_network(recogniser):
        path = Path(str(recogniser.model_file))
        name = recogniser_name(path)
        networks[name] = wrap_recogniser(name, path, recogniser.session, recogniser)
    folder = Path(str(detector.model_file)).parent.name
    log.info("Foreign face models %s, recogniser: %s.", folder, ", ".join(networks) or "none")
    return ForeignModels(folder, networks, wrap_detector(detector.session))


def _models_in(value: Any, depth: int = _DEPTH) -> Mapping[str, Any] | None:
    """The networks by task of the first FaceAnalysis in `value`, or in what it holds, so many levels down."""
    models = getattr(value, "models", None)
    if isinstance(models, Mapping) and _is_network(models.get("detection")):
        return models
    if depth == 0:
        return None
    inner: list[Any] = [getattr(value, "face_analysis", None)]
    if isinstance(value, Mapping):
        inner += value.values()
    elif isinstance(value, list | tuple):
        inner += value
    within = (_models_in(held, depth - 1) for held in inner if held is not None)
    return next((found for found in within if found), None)


def _is_network(value: Any) -> bool:
    """Whether it has what all networks of insightface's model zoo have."""
    return hasattr(value, "session") and hasattr(value, "model_file")


def _check_detector(detector: Any) -> None:
    session, name = detector.session, Path(str(detector.model_file)).name
    outputs = len(session.get_outputs())
    if outputs != DETECTOR_OUTPUTS:
        raise ValueError(
            f"The detector {name} of face_analysis gives no five points: it has {outputs} outputs instead of "
            f"{DETECTOR_OUTPUTS}. Use a pack with an SCRFD detector, such as antelopev2 or buffalo_l."
        )
    fixed = [size for size in session.get_inputs()[0].shape[2:] if isinstance(size, int) and size > 0]
    if fixed:
        raise ValueError(
            f"The detector {name} of face_analysis takes pictures of {fixed} only, but is needed for several "
            "sizes. Load it with the provider CPU, or use Load Face Models."
        )


def recogniser_name(path: Path) -> str:
    """The name identities carry for a recogniser's file: `glintr100`, else `folder/file`.

    The content counts. A file that we do not know is ours only in a folder of the catalogue's name: other
    packs give other networks the same file name.
    """
    known = recogniser_in(path)
    if known is not None:
        return known
    for name, file in recogniser_files().items():
        if path.name == file.name and path.parent.name == file.subpath.rsplit("/", 1)[-1]:
            believe(path, name)
            return name
    return f"{path.parent.name}/{path.stem}"
