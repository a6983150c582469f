"""What an E-adapter learns and from what: the networks, and the loss. Stages 0 and 1 are this.

Everything but the Resampler and to_k_ip, to_v_ip is frozen. Spec: pva_freecure_emojidiff.md C.1, C.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from likeness.sampling.noised import noised

from ..autoencoders import encode
from ..resampler import Resampler, Sizes
from ..start import put
from ..text_to_image import BaseModel
from ..texts import Texts
from ..unets import UNetLesson, checkpoint
from .base import IdentityAdapter
from .network import Shares, add_expression, expression_parameters
from .samples import Batch

IMAGE_PROJ, IP_ADAPTER = "image_proj", "ip_adapter"
#: How often text, identity and expression are left out, each alone; and all three at once.
DROPPED = 0.05
_MEAN, _SPREAD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Course:
    """rate: of AdamW. parts: a step's pictures go through the network in so many parts, whose gradients are
    averaged. checkpointing: half the speed or better, far less memory."""

    rate: float = 1e-4
    parts: int = 1
    checkpointing: bool = False


class EmojiLesson(UNetLesson):
    """start: tensors of an adapter's file to go on from; without, the spec's beginnings. sizes: of a new
    Resampler, if not the usual. Raises ValueError when the parts do not fit each other.
    """

    def __init__(
        self,
        base: BaseModel,
        vision: Any,
        identity: IdentityAdapter | None = None,
        start: Mapping[str, Tensor] | None = None,
        course: Course | None = None,
        sizes: Sizes | None = None,
    ) -> None:
        self.course = course or Course()
        super().__init__(base, self.course.checkpointing)
        self.parts, self.vision, self.identity = self.course.parts, vision, identity
        self.texts, self.kind = Texts(base), base.kind
        width = int(base.unet.config.cross_attention_dim)
        self.resampler = _resampler(start, vision.config.hidden_size, width, sizes)
        self.person_tokens = 0
        if identity is not None:
            self.person_tokens = _person_tokens(identity, width)
        self.shares = Shares(self.person_tokens, self.resampler.sizes.tokens)
        add_expression(self.unet, self.shares, identity.layers if identity is not None else None)
        for part in (self.unet, self.vae, self.vision):
            part.requires_grad_(False)
        for parameter in self.trained().values():
            parameter.requires_grad_(True)
        if start is not None:
            put(self.trained(), start)
        self.train()

    def train(self, mode: bool = True) -> EmojiLesson:
        """Nothing has dropout; checkpointing asks its parts whether they learn."""
        super().train(False)
        checkpoint(mode, self.unet, self.vae)
        self.training = mode
        return self

    def trained(self) -> dict[str, nn.Parameter]:
        """By the names of the adapter's file."""
        named = {f"{IMAGE_PROJ}.{name}": p for name, p in self.resampler.named_parameters()}
        layers = {f"{IP_ADAPTER}.{name}": p for name, p in expression_parameters(self.unet).items()}
        return {**named, **layers}

    def groups(self, effective_batch: int) -> list[dict[str, Any]]:
        """One rate for all, whatever the batch."""
        return [{"name": "expression", "params": list(self.trained().values()), "lr": self.course.rate}]

    def prepare_batch(self, batch: Batch, source: torch.Generator) -> dict[str, Tensor]:
        """Latents, noise, timesteps and whatever frozen networks say. Call it without gradients."""
        count, device = len(batch.pictures), self.alphas.device
        clean = self.latents(batch.pictures.to(device), source)
        times = torch.randint(len(self.alphas), (count,), generator=source)
        noise = torch.randn(clean.shape, generator=source)
        no_text, no_person, no_expression = left_out(count, source)
        words = ["" if out else text for text, out in zip(batch.texts, no_text.tolist(), strict=True)]
        shown = batch.templates * ~no_expression[:, None, None, None]
        prepared = {"clean": clean, "times": times.to(device), "noise": noise.to(device)}
        prepared |= self.texts(words, batch.pictures.shape[-1], device)
        prepared["whole"] = ~(no_person | no_expression).to(device)
        prepared["person"] = self.person(batch.vectors, no_person).to(device)
        prepared["features"] = self.features(shown.to(device))
        return prepared

    def forward(self, prepared: dict[str, Tensor], part: int) -> Tensor:
        """Mean squared error of the predicted noise over the whole latent."""
        mine = self.share_of(prepared, part)
        noisy = noised(mine["clean"], mine["noise"], mine["times"], self.alphas)
        answer = self.noise(noisy, mine["times"], mine, self.resampler(mine["features"]))
        return F.mse_loss(answer.float(), mine["noise"])

    def share_of(self, prepared: Mapping[str, Tensor], part: int) -> dict[str, Tensor]:
        """The rows of one part: every parts-th picture."""
        return {name: value[part :: self.parts] for name, value in prepared.items()}

    def noise(
        self, noisy: Tensor, times: Tensor, prepared: Mapping[str, Tensor], expression: Tensor
    ) -> Tensor:
        """The U-Net's answer. expression: tokens [n, T, width]."""
        text = prepared["text"]
        context = torch.cat([text, prepared["person"].to(text), expression.to(text.dtype)], dim=1)
        added = {name: prepared[name] for name in ("text_embeds", "time_ids") if name in prepared}
        answer: Tensor = self.unet(noisy, times, context, added_cond_kwargs=added or None).sample
        return answer

    def person(self, vectors: Tensor, left_out: Tensor) -> Tensor:
        """Tokens of who it is [n, T, width]; T is 0 without an identity adapter, zeros stand for nobody."""
        if self.identity is None:
            return torch.zeros(len(left_out), 0, self.unet.config.cross_attention_dim)
        if vectors.shape[-1] == 0:
            raise ValueError("The identity adapter needs vectors of who it is: give --recogniser.")
        return self.identity.tokens(vectors * ~left_out[:, None])

    def features(self, templates: Tensor) -> Tensor:
        """CLIP's features before its last layer [n, patches, width] of templates [n, 3, 224, 224]."""
        seen = self.vision(normalised(templates), output_hidden_states=True)
        features: Tensor = seen.hidden_states[-2]
        return features

    def pooled(self, templates: Tensor) -> Tensor:
        """CLIP's one vector for each template, [n, E]; gradients reach the templates."""
        vectors: Tensor = self.vision(normalised(templates)).image_embeds
        return vectors

    def latents(self, pictures: Tensor, source: torch.Generator) -> Tensor:
        return encode(self.vae, pictures, source)


def left_out(count: int, source: torch.Generator) -> Tensor:
    """Which of `count` pictures go without text, identity, expression: [3, count]. Each alone, or all."""
    alone = torch.rand(3, count, generator=source) < DROPPED
    return alone | (torch.rand(count, generator=source) < DROPPED)


def normalised(templates: Tensor) -> Tensor:
    """As CLIP wants its pictures."""
    mean, spread = (templates.new_tensor(v)[None, :, None, None] for v in (_MEAN, _SPREAD))
    return (templates - mean) / spread


def _resampler(start: Mapping[str, Tensor] | None, seen: int, out: int, sizes: Sizes | None) -> Resampler:
    if start is None:
        return Resampler(sizes or Sizes.of(seen, out))
    prefix = f"{IMAGE_PROJ}."
    made = Resampler.from_tensors(
        {key.removeprefix(prefix): value for key, value in start.items() if key.startswith(prefix)}
    )
    if (made.sizes.seen, made.sizes.out) != (seen, out):
        raise ValueError(
            f"--start looks at features {made.sizes.seen} wide and makes tokens {made.sizes.out} wide; "
            f"--clip gives {seen} and --base takes {out}."
        )
    return made


def _person_tokens(identity: IdentityAdapter, width: int) -> int:
    projector = identity.projector
    if projector.token_width != width:
        raise ValueError(
            f"{identity.name} makes tokens {projector.token_width} wide, --base takes {width}: it was made "
            "for another base."
        )
    return int(projector(torch.zeros(1, 1, projector.embedding_width)).shape[1])
