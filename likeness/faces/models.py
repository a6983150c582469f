"""A face pack on a wire: its detector and its recognisers, by name, opened when first used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..weights.catalogue import FacePack, face_packs
from ..weights.find import MissingModel, find_file
from .recognise import Recogniser, open_recogniser
from .sessions import PROVIDERS, BrokenModel, once, open_session, resolve_provider

#: Five points and two anchors on each of three strides: scores, boxes and points.
DETECTOR_OUTPUTS = 9


class FaceNetworks(Protocol):
    """What travels as LIKENESS_FACE_MODELS: our packs, and foreign ones (foreign_models.py)."""

    @property
    def name(self) -> str: ...

    @property
    def recognisers(self) -> list[str]: ...

    def detector(self) -> Any: ...

    def recogniser(self, name: str) -> Recogniser: ...


@dataclass(frozen=True)
class FaceModels:
    """Files are named one by one in the catalogue: strangers in the same folder are never touched.

    pack: a name of weights.catalogue.face_packs(). provider: a name of sessions.provider_choices().
    folders: searched instead of the host's insightface folders; for use without the host.
    """

    pack: str
    provider: str = "auto"
    folders: tuple[str, ...] | None = None

    @classmethod
    def open(
        cls, pack: str, provider: str = "auto", folders: Sequence[str | Path] | None = None
    ) -> FaceModels:
        """Checks the names and that the detector's file is there. Raises ValueError, MissingModel."""
        if pack not in face_packs():
            raise ValueError(f"No face pack is called {pack!r}. There are: {', '.join(face_packs())}.")
        models = cls(pack, provider, None if folders is None else tuple(str(f) for f in folders))
        resolve_provider(provider)
        models._find(models._parts.detector)
        return models

    @property
    def _parts(self) -> FacePack:
        return face_packs()[self.pack]

    @property
    def name(self) -> str:
        """What messages call it: the pack."""
        return self.pack

    @property
    def recognisers(self) -> list[str]:
        """Names of the recognisers that belong to the pack, whether their files are there or not."""
        return list(self._parts.recognisers)

    def _find(self, key: str) -> Path:
        return find_file(key, self.folders)

    def detector(self) -> Any:
        """insightface's SCRFD for the pack's detector. Raises MissingModel, BrokenModel."""
        provider = resolve_provider(self.provider)
        if provider == PROVIDERS["CoreML"]:
            provider = PROVIDERS["CPU"]  # CoreML breaks on the changing sizes of detection (spec 1.5)
        return once("detector", self._find(self._parts.detector), provider, _open_detector)

    def recogniser(self, name: str) -> Recogniser:
        """A recogniser of the pack by name. Raises ValueError with the names there are, MissingModel."""
        keys = self._parts.recognisers
        if name not in keys:
            raise ValueError(
                f"The face pack {self.pack} has no recogniser {name}; it has: {', '.join(keys)}. Choose one "
                "of these in Embed Faces, or another pack in Load Face Models."
            )
        provider = resolve_provider(self.provider)
        return once(
            name, self._find(keys[name]), provider, lambda path, ort: open_recogniser(name, path, ort)
        )

    def __repr__(self) -> str:
        return f"FaceModels({self.pack}, {self.provider})"


def first_there(models: FaceNetworks, names: Sequence[str]) -> str | None:
    """The first of these recognisers whose file is there, or None. Raises BrokenModel."""
    for name in names:
        try:
            models.recogniser(name)
        except MissingModel:
            continue
        return name
    return None


def default_pack(folders: Sequence[str | Path] | None = None) -> str:
    """antelopev2, which InstantID needs, when its detector and recogniser are there; else embedded."""
    try:
        pack = face_packs()["antelopev2"]
        find_file(pack.detector, folders)
        find_file(pack.recognisers["glintr100"], folders)
    except MissingModel:
        return "embedded"
    return "antelopev2"


def _open_detector(path: Path, provider: str) -> Any:
    session = open_session(path, provider)
    outputs = len(session.get_outputs())
    if outputs != DETECTOR_OUTPUTS:
        raise BrokenModel(
            f"{path} is no SCRFD detector with five points: it has {outputs} outputs instead of "
            f"{DETECTOR_OUTPUTS}. Put the right file in its place."
        )
    return wrap_detector(session)


def wrap_detector(session: Any) -> Any:
    """insightface's SCRFD on a session that may be shared: one session for every size of picture."""
    # Imported here: insightface takes most of a second, and the host starts without it.
    from insightface.model_zoo.scrfd import SCRFD

    return SCRFD(session=session, static_shape_sessions=False)
