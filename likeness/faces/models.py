"""A face pack on a wire: its detector and its recognisers, by name, opened when first used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..values import recogniser_text
from ..weights.catalogue import FacePack, catalogue, face_packs
from ..weights.find import MissingModel, find_copies, find_file
from ..weights.find import fingerprint as stamps
from .recognise import Recogniser, open_recogniser
from .recogniser_files import believe, recogniser_in
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

    pack: a name of weights.catalogue.face_packs(). provider: one of choices.faces.PROVIDERS.
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
        """Names of the recognisers of the pack, whether their files are there or not.

        Where another network lies under a file's name, that network's.
        """
        names: dict[str, None] = {}
        for name in self._parts.recognisers:
            names |= dict.fromkeys(recogniser_in(path) or name for path in self._copies(name) or [Path()])
        return list(names)

    def _copies(self, name: str) -> list[Path]:
        """Where the file of a recogniser of the pack lies, by the file's name; what is used first first."""
        return find_copies(catalogue()[self._parts.recognisers[name]], self.folders)

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
        path = self._file_of(name)
        if path is None:
            raise ValueError(
                f"The face pack {self.pack} has no recogniser {name}{self._instead(name)}; it has: "
                f"{', '.join(self.recognisers)}. Choose one of these in Embed Faces, or another pack in Load "
                "Face Models."
            )
        if recogniser_in(path) is None:
            believe(path, name)
        provider = resolve_provider(self.provider)
        return once(name, path, provider, lambda path, ort: open_recogniser(name, path, ort))

    def _file_of(self, name: str) -> Path | None:
        """The file that holds a recogniser, by its content, else by its name. Raises MissingModel.

        Others of the pack are read only when its own file is another network.
        """
        own = self._parts.recognisers.get(name)
        if own is not None and not self._copies(name):
            return self._find(own)  # which says how to get it
        for called in sorted(self._parts.recognisers, key=lambda called: called != name):
            for path in self._copies(called):
                if (recogniser_in(path) or called) == name:
                    return path
        return None

    def _instead(self, name: str) -> str:
        """What lies where the recogniser's file belongs, as a part of a sentence; or nothing."""
        if name not in self._parts.recognisers:
            return ""
        path = self._copies(name)[0]
        return f" ({path} is {recogniser_text(recogniser_in(path) or '')}, another network)"

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


def fingerprint(pack: str | None, folders: Sequence[str | Path] | None = None) -> str:
    """Changes when one of the pack's files does, so that the host runs again what uses them."""
    parts = face_packs().get(pack or "")
    if parts is None:
        return ""
    keys = (parts.detector, *parts.recognisers.values(), parts.mesh)
    return stamps(*keys, folders=folders)


def bundled_fingerprint() -> str:
    """The same for what looks at faces without face models: the detector and the mesh of this pack."""
    parts = face_packs()["embedded"]
    return stamps(parts.detector, parts.mesh)


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
