"""Drawing through the real host and our nodes, in this process."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from installer.paths import REPOSITORY

from .. import host_files
from ..host import use_host
from ..training.pictures import SIZE
from ..training.stages import Rooms

Picture = NDArray[np.uint8]
PACK_MARK = "LikenessApplyInstantID"


class Studio:
    """The host with our pack in it, the drawn world's files, and what is loaded of them.

    steps: of sampling. Everything that takes long is loaded once.
    """

    def __init__(self, rooms: Rooms, steps: int) -> None:
        from ..networks import hosted

        self.rooms, self.steps = rooms, steps
        self.host = host_nodes()
        import comfy.utils

        comfy.utils.PROGRESS_BAR_ENABLED = False  # a bar for each picture tells nothing
        self.pack = str(self.host.NODE_CLASS_MAPPINGS[PACK_MARK].__module__).rsplit(".", 2)[0]
        hosted.register()
        self._loaded: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, made when first asked for."""
        if name not in self._loaded:
            self._loaded[name] = make()
        return self._loaded[name]

    def node(self, node_id: str, **inputs: Any) -> tuple[Any, ...]:
        """Runs a node of ours or of the host, and gives its outputs."""
        kind = self.host.NODE_CLASS_MAPPINGS[node_id]
        if hasattr(kind, "execute"):
            return tuple(kind.execute(**inputs).result)
        return tuple(getattr(kind(), kind.FUNCTION)(**inputs))

    def value(self, module: str, name: str) -> Any:
        """Something of our pack as the host loaded it: `value("likeness.values", "Identity")`."""
        return getattr(importlib.import_module(f"{self.pack}.{module}"), name)

    def file(self, name: str) -> str:
        """A file of host_files.FILES, written if need be, by the name that loader nodes have for it."""
        host_files.write(name, self.rooms)
        return host_files.file_name(name)

    def checkpoint(self, name: str) -> tuple[Any, Any, Any]:
        """MODEL, CLIP, VAE by the host's loader."""
        loaded = self.once(
            f"checkpoint {name}", lambda: self.node("CheckpointLoaderSimple", ckpt_name=self.file(name))
        )
        return loaded[0], loaded[1], loaded[2]

    def loaded(self, node_id: str, **files: str) -> Any:
        """The first output of one of our loader nodes: inputs and the names of host files for them."""
        key = f"{node_id} {sorted(files.items())}"
        return self.once(
            key, lambda: self.node(node_id, **{name: self.file(file) for name, file in files.items()})[0]
        )

    def prompts(self, clip: Any, *texts: str) -> tuple[Any, Any]:
        """The prompt, or one with a row for each picture of a batch; and the empty one."""
        empty = self.once(f"empty {id(clip)}", lambda: self.node("CLIPTextEncode", clip=clip, text=""))
        made = [self.node("CLIPTextEncode", clip=clip, text=text)[0][0] for text in texts]
        facts = {name: _rows([one[1][name] for one in made]) for name in made[0][1]}
        return [[_rows([one[0] for one in made]), facts]], empty[0]

    def sample(
        self,
        model: Any,
        positive: Any,
        negative: Any,
        *seeds: int,
        cfg: float = 2.5,
        latent: Any = None,
        people: int = 1,
        denoise: float = 1.0,
    ) -> Any:
        """LATENT by the host's sampler, a picture for each seed; from an empty one for so many people unless
        one is given."""
        if latent is None:
            size = {"width": SIZE * people, "height": SIZE, "batch_size": len(seeds)}
            latent = self.node("EmptyLatentImage", **size)[0]
        custom = importlib.import_module("comfy_extras.nodes_custom_sampler")
        guider = custom.CFGGuider.execute(model=model, positive=positive, negative=negative, cfg=cfg).result[
            0
        ]
        given = self.schedule(model, *seeds, denoise=denoise)
        sampled = custom.SamplerCustomAdvanced.execute(guider=guider, latent_image=latent, **given)
        return sampled.result[0]

    def schedule(self, model: Any, *seeds: int, denoise: float = 1.0) -> dict[str, Any]:
        """noise, sampler and sigmas, as nodes that sample by themselves want them."""
        custom = importlib.import_module("comfy_extras.nodes_custom_sampler")
        return {
            "noise": Noise(seeds),
            "sampler": custom.KSamplerSelect.execute(sampler_name="dpmpp_2m").result[0],
            "sigmas": custom.BasicScheduler.execute(
                model=model, scheduler="karras", steps=self.steps, denoise=denoise
            ).result[0],
        }

    def decode(self, vae: Any, latent: Any) -> Picture:
        """The first."""
        return self.pictures(vae, latent)[0]

    def pictures(self, vae: Any, latent: Any) -> Picture:
        """All of a batch, [n, H, W, 3]."""
        return every(self.node("VAEDecode", vae=vae, samples=latent)[0])

    def face_models(self) -> Any:
        """By our loader: the real detector under its pack's name, the drawn world's recogniser."""
        for name in ("scrfd_10g_bnkps", "glintr100", "arcface"):
            self.file(name)
        return self.once(
            "faces", lambda: self.node("LikenessLoadFaceModels", pack="antelopev2", provider="CPU")[0]
        )

    def other_models(self) -> Any:
        """A second pack, by our loader: the real detector, and a recogniser that nothing is drawn by."""
        self.file("auraface")
        return self.once(
            "other faces", lambda: self.node("LikenessLoadFaceModels", pack="auraface", provider="CPU")[0]
        )

    def faces(self, picture: Picture) -> Any:
        """FACES of a picture, its most certain one. Raises ValueError without any."""
        given = {"face_models": self.face_models(), "image": image(picture), "max_faces": 1}
        return self.once(f"faces {_name(picture)}", lambda: self.node("LikenessDetectFaces", **given)[0])

    def identity(self, picture: Picture, recogniser: str = "glintr100") -> Any:
        """IDENTITY of the person in a picture: made once, however many rows draw them."""
        models = self.other_models() if recogniser == "auraface" else self.face_models()
        given = {"face_models": models, "recogniser": recogniser}
        return self.once(
            f"identity {recogniser} {_name(picture)}",
            lambda: self.node("LikenessEmbedFaces", faces=self.faces(picture), **given)[0],
        )

    def keypoints(self, picture: Picture) -> Any:
        """IMAGE of the five points where a picture has them."""
        return self.node(
            "LikenessFaceKeypoints", faces=self.faces(picture), width=SIZE, height=SIZE, fit="stretch"
        )[0]


def image(*pictures: Picture) -> torch.Tensor:
    """The host's IMAGE."""
    return torch.from_numpy(np.stack(pictures)).float() / 255


def every(images: torch.Tensor) -> Picture:
    """All pictures of an IMAGE."""
    rounded: Picture = (images.clamp(0, 1) * 255).round().byte().cpu().numpy()
    return rounded


def pixels(images: torch.Tensor) -> Picture:
    """The first picture of an IMAGE."""
    return every(images)[0]


@dataclass(frozen=True)
class Noise:
    """The host's NOISE: what RandomNoise gives, for each picture from its own seed, whoever is beside it."""

    seeds: tuple[int, ...]

    @property
    def seed(self) -> int:
        return self.seeds[0]

    def generate_noise(self, latent: dict[str, Any]) -> torch.Tensor:
        import comfy.sample

        parts = latent["samples"].split(1)
        return torch.cat(
            [comfy.sample.prepare_noise(p, seed) for p, seed in zip(parts, self.seeds, strict=True)]
        )


def _rows(values: list[Any]) -> Any:
    """What the host knows of prompts, as of one prompt with a row for each."""
    return torch.cat(values) if isinstance(values[0], torch.Tensor) else values[0]


def as_png(picture: Picture) -> bytes:
    written, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert written
    return bytes(encoded.tobytes())


def _name(picture: Picture) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()


def host_nodes() -> ModuleType:
    """The host's own module `nodes` with our pack loaded. Raises ValueError when the pack can't be."""
    folder = use_host()
    known = sys.modules.get("nodes")
    if known is None or not hasattr(known, "NODE_CLASS_MAPPINGS"):
        sys.modules.pop("nodes", None)
        # Before ours for good: the host imports its modules by name while it runs, too.
        sys.path.insert(0, str(folder))
        known = importlib.import_module("nodes")
    if PACK_MARK not in known.NODE_CLASS_MAPPINGS:
        loaded = asyncio.run(known.load_custom_node(str(REPOSITORY)))
        if not loaded:
            raise ValueError("The host could not load this pack: its log says why.")
    return known
