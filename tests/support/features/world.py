"""Small networks of three kinds in the host, with the text encoders and the VAE of the tiny checkpoints."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from ..fill import fill
from .networks import ARC2FACE, POOLED, SD2, SDXL, context_of, control_net_of, gligen_of, model_of
from .run import HEIGHT, PICTURES, WIDTH, Run, latent_of

_CHECKPOINTS = {SDXL: "tiny_sdxl.safetensors", SD2: "tiny_sd2_inpaint.safetensors"}
#: Written for the matrix and taken away after it, in the host's own folders.
FILE = "matrix"


def picture(count: int = 1, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(seed))


def masks(pictures: tuple[int, ...]) -> torch.Tensor:
    """One for each picture: its own columns, off the grid of the latents."""
    made = torch.zeros(4, HEIGHT, WIDTH)
    for number, mask in enumerate(made):
        mask[8:56, 20 * number : 20 * number + 61] = 1
    return made[list(pictures)]


class World:
    """The host, our pack, and what both need to run; every network is made once."""

    def __init__(self, host: Any, pack: Any, base: Path) -> None:
        self.host, self.pack, self.base = host, pack, base
        self._made_once: dict[str, Any] = {}
        self._starts: dict[tuple[str, int], Run] = {}
        self._latents: dict[tuple[int, ...], dict[str, Any]] = {}
        self.files: list[Path] = []

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._made_once:
            self._made_once[name] = make()
        return self._made_once[name]

    # Nodes of the host

    def node(self, module: str, name: str, **inputs: Any) -> tuple[Any, ...]:
        """What a node of the host gives; inputs that are not named have its own defaults."""
        call, defaults = self.once(f"node {name}", lambda: self._callable(module, name))
        result = call(**{**defaults, **inputs})
        return tuple(getattr(result, "result", result))

    def _callable(self, module: str, name: str) -> tuple[Callable[..., Any], dict[str, Any]]:
        """A node's function and its defaults. As in the host one object is kept: loaders hold their file."""
        kind = self._class(module, name)
        defaults = {
            key: about[1]["default"]
            for key, about in kind.INPUT_TYPES().get("required", {}).items()
            if len(about) > 1 and "default" in about[1]
        }
        return getattr(kind if hasattr(kind, "GET_SCHEMA") else kind(), kind.FUNCTION), defaults

    def _class(self, module: str, name: str) -> Any:
        if module == "nodes":
            return self.host.NODE_CLASS_MAPPINGS[name]
        # The host imports these two in one order only: the other is a circle.
        importlib.import_module("comfy_extras.nodes_post_processing")
        found = importlib.import_module(f"comfy_extras.{module}")
        if name in getattr(found, "NODE_CLASS_MAPPINGS", {}):
            return found.NODE_CLASS_MAPPINGS[name]
        for kind in vars(found).values():
            schema = getattr(kind, "GET_SCHEMA", None)
            if schema and kind.__module__ == found.__name__ and schema().node_id == name:
                return kind
        raise LookupError(f"ComfyUI has no node {name} in comfy_extras/{module}.py.")

    def ours(self, node_id: str, **inputs: Any) -> tuple[Any, ...]:
        return tuple(self.pack.node(node_id).execute(**inputs).result)

    # Networks

    def model(self, network: str) -> Any:
        return self.once(f"model {network}", lambda: model_of(network))

    def another_model(self, network: str) -> Any:
        """Other weights, as another checkpoint has."""
        return self.once(f"another model {network}", lambda: model_of(network, "another."))

    def context(self, network: str) -> int:
        return context_of(network)

    def sites(self, network: str) -> Any:
        sites = self.pack.module("likeness.attention.sites").attention_sites
        return sites(self.model(network).model.diffusion_model)

    def control_net(self, network: str, prefix: str) -> Any:
        """A CONTROL_NET for a network; another prefix gives other weights."""
        return self.once(f"net {network} {prefix}", lambda: control_net_of(network, prefix))

    def gligen(self, network: str) -> Any:
        """GLIGEN's layers for a network, one for each of its transformers."""

        def make() -> Any:
            clip = self.clip(network)
            words = clip.encode_from_tokens(clip.tokenize("glasses"), return_pooled="unprojected")[1]
            return gligen_of(network, self.model(network), words.shape[-1])

        return self.once(f"gligen {network}", make)

    # Text and pictures

    @cached_property
    def _checkpoints(self) -> dict[str, Any]:
        load = self.host.CheckpointLoaderSimple().load_checkpoint
        loaded = {network: load(file) for network, file in _CHECKPOINTS.items()}
        encoder = loaded[SDXL][1].cond_stage_model.clip_g.transformer
        narrow = encoder.text_projection
        encoder.text_projection = type(narrow)(narrow.in_features, POOLED, bias=False)
        encoder.text_projection.weight.data = fill("pooled", (POOLED, narrow.in_features))
        return loaded

    @cached_property
    def _arc2face_clip(self) -> Any:
        files = {
            "unet_file": "tiny_arc2face.safetensors",
            "encoder_file": "tiny_arc2face_encoder.safetensors",
        }
        return self.ours("LikenessLoadArc2Face", **files)[1]

    @cached_property
    def pva(self) -> Any:
        from .. import pva_files

        content = self.pack.module("likeness.methods.pva.content")
        hidden = [site.hidden for site in self.sites(SD2)]
        return content.PVA(content.parse_base(pva_files.base(hidden, self.context(SD2)), "tiny"))

    @property
    def vae(self) -> Any:
        return self._checkpoints[SDXL][2]

    @cached_property
    def quick_vae(self) -> Any:
        """Encodes `picture()` and nothing else, once."""
        latent = self.vae.encode(picture())
        return SimpleNamespace(encode=lambda image: latent)

    @cached_property
    def seen(self) -> Any:
        """What CLIP Vision gives of a picture."""
        from comfy.clip_vision import Output

        output = Output()
        output.image_embeds = fill("picture", (1, POOLED))
        return output

    def clip(self, network: str) -> Any:
        return self._arc2face_clip if network == ARC2FACE else self._checkpoints[network][1]

    def identity(self, recogniser: str, seed: int = 0, count: int = 1) -> Any:
        vectors = torch.randn(count, 512, generator=torch.Generator().manual_seed(seed))
        return self.pack.module("likeness.values").Identity(vectors, recogniser)

    def text(self, clip: Any, words: str) -> Any:
        return self.node("nodes", "CLIPTextEncode", clip=clip, text=words)[0]

    def encode(self, network: str, clip: Any, person: int = 0) -> tuple[Any, Any]:
        """The prompts of a network: of Arc2Face a person each, of PVA with a hole to fill."""
        if network == ARC2FACE:
            somebody = self.identity("arc2face", person + 1)
            return self.ours("LikenessEncodeArc2Face", clip=clip, identity=somebody)[:2]
        if network == SDXL:
            return self.text(clip, "a photo of a man with glasses"), self.text(clip, "blurry")
        words = "photo of a <new1> person"
        positive = self.ours("LikenessPVAPrompt", clip=clip, pva=self.pva, text=words)[0]
        given = {"vae": self.vae, "pixels": picture(), "mask": masks((1,)), "noise_mask": False}
        negative = self.text(clip, "photo of a person")
        return self.node("nodes", "InpaintModelConditioning", positive=positive, negative=negative, **given)[
            :2
        ]

    def start(self, network: str, pictures: tuple[int, ...] = PICTURES, person: int = 0) -> Run:
        """Loaders and prompts, and nothing else yet."""
        if (network, person) not in self._starts:
            model, clip = self.model(network), self.clip(network)
            prompts = self.encode(network, clip, person)
            self._starts[network, person] = Run(network, person, model, clip, *prompts, latent_of(PICTURES))
        latent = self._latents.setdefault(pictures, latent_of(pictures))
        return self._starts[network, person].but(latent=latent, pictures=pictures)

    # Files for the host's loaders

    def file(self, folder: str, network: str, ending: str, write: Callable[[Path], None]) -> str:
        """A file in a folder of the host, written once."""
        name = f"{FILE}_{network.replace(' ', '_')}{ending}"
        path = self.base / "models" / folder / name
        if path not in self.files:
            path.parent.mkdir(exist_ok=True)
            write(path)
            self.files.append(path)
        return name

    def lora(self, network: str) -> str:
        """The file of a LoRA of attention and of the text encoder."""
        return self.file("loras", network, ".safetensors", lambda path: self._write_lora(network, path))

    def _write_lora(self, network: str, path: Path) -> None:
        from safetensors.torch import save_file

        state = self.model(network).model.state_dict()
        names = [key for key in state if key.endswith(("attn2.to_q.weight", "attn1.to_v.weight"))]
        sizes = {name.removesuffix(".weight"): tuple(state[name].shape) for name in names}
        clip = self.clip(network).cond_stage_model.state_dict()
        text = next(key for key in clip if key.endswith("layers.0.mlp.fc1.weight"))
        sizes["text_encoders." + text.removesuffix(".weight")] = tuple(clip[text].shape)
        tensors = {f"{name}.lora_up.weight": fill(f"up.{name}", (out, 4)) for name, (out, _) in sizes.items()}
        tensors |= {
            f"{name}.lora_down.weight": fill(f"down.{name}", (4, n)) for name, (_, n) in sizes.items()
        }
        save_file(tensors, path)

    def close(self) -> None:
        for path in self.files:
            path.unlink()
