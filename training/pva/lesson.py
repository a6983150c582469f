"""What PVA learns and from what: the whole network, and the loss of one timestep. Spec A.1, A.5."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from likeness.adapters.projectors import IdentityTransformer
from likeness.choices.pva import PLACEHOLDER
from likeness.faces.iresnet import IResNet
from likeness.methods.pva.content import FACE_NET, TRANSFORMER, UNET, WORD, Base
from likeness.methods.pva.learning import strata
from likeness.sampling.noised import noised

from ..autoencoders import encode
from ..loop import Lesson
from .base import InpaintingModel
from .network import PersonalWord, add_visual_attention, load_attention, visual_parameters

#: Identity tokens, layers and inner width of a transformer that starts from nothing.
TOKENS, _LAYERS, _INNER = 10, 4, 2048
#: Learning rates: per picture of the effective batch for attention and the face encoder, else as they are.
ATTENTION_RATE, TRANSFORMER_RATE, WORD_RATE = 1e-6, 3.2e-5, 1e-3
FACE_PREFIX = f"{FACE_NET}.facenet."


class Batch(NamedTuple):
    """pictures [b, 3, S, S] from -1 to 1; holes [b, 1, S, S], 1 to be filled; faces [b, n, 3, 112, 112] of
    n references, from -1 to 1; one text per picture."""

    pictures: Tensor
    holes: Tensor
    faces: Tensor
    texts: list[str]


class PVALesson(Lesson):
    """Stage 1 trains visual matrices, identity transformer and word; stage 2 the face encoder, too.

    start: a PVA file to go on from; without, the spec's beginnings. parts: timesteps per picture and step,
    one out of each equal part of the schedule. sample_latents: draw latents from the VAE's posterior, as the
    authors do, instead of its mode. rate multiplies all learning rates. Raises ValueError when file and base
    do not fit.
    """

    def __init__(
        self,
        base: InpaintingModel,
        face_net: IResNet,
        stage: int = 1,
        start: Base | None = None,
        parts: int = 4,
        sample_latents: bool = True,
        checkpointing: bool = False,
        rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.alphas: Tensor
        self.parts, self.stage, self.rate, self.sample_latents = parts, stage, rate, sample_latents
        self.unet, self.vae, self.text_encoder = base.unet, base.vae, base.text_encoder
        self.tokenizer, self.scheduler, self.start = base.tokenizer, base.scheduler, start
        self.face_net = face_net.requires_grad_(stage == 2)
        width = self.text_encoder.config.hidden_size
        self.transformer = _transformer(start, width, face_net)
        add_visual_attention(self.unet, len(self.transformer.q_tokens))
        if start is not None:
            load_attention(self.unet, start.unet)
        self.word = _word(base, start)
        self.register_buffer("alphas", self.scheduler.alphas_cumprod.clone().float(), persistent=False)
        if checkpointing:
            self.unet.enable_gradient_checkpointing()
        self.train()

    def train(self, mode: bool = True) -> PVALesson:
        """Only the identity transformer has dropout; batch norm keeps its statistics in both stages."""
        super().train(False)
        self.transformer.train(mode)
        self.training = mode
        return self

    def trained(self) -> dict[str, nn.Parameter]:
        named: dict[str, nn.Parameter] = {WORD: self.word.vector}
        named |= {f"{TRANSFORMER}.{name}": p for name, p in self.transformer.named_parameters()}
        named |= {f"{UNET}.{name}": p for name, p in visual_parameters(self.unet).items()}
        if self.stage == 2:
            named |= {FACE_PREFIX + name: p for name, p in self.face_net.named_parameters()}
        return named

    def groups(self, effective_batch: int) -> list[dict[str, Any]]:
        named, scaled = self.trained(), ATTENTION_RATE * effective_batch
        rates = {UNET: scaled, TRANSFORMER: TRANSFORMER_RATE, WORD: WORD_RATE, FACE_NET: scaled}
        groups = []
        for part, rate in rates.items():
            members = [p for name, p in named.items() if name.split(".")[0] == part]
            if members:
                groups.append({"name": part, "params": members, "lr": rate * self.rate})
        return groups

    def prepare_batch(self, batch: Batch, source: torch.Generator) -> dict[str, Tensor]:
        """Latents, noise and timesteps of all parts. Call it without gradients."""
        device, parts = self.alphas.device, self.parts
        pictures, holes, faces = (x.to(device, torch.float32) for x in batch[:3])
        clean = self._latents(pictures, source)
        count = len(clean)
        times = torch.stack([strata(parts, source) for _ in range(count)], dim=1)
        noise = torch.randn(parts, *clean.shape, generator=source).to(device)
        masked = self._latents(pictures * (1 - holes), source)
        small = F.interpolate(holes, clean.shape[-2:], mode="nearest")
        prepared = {"clean": clean, "around": torch.cat([small, masked], dim=1), "noise": noise}
        prepared |= {"times": times.to(device), "ids": self.tokens_of(batch.texts).to(device)}
        prepared["people"] = faces if self.stage == 2 else self._vectors(faces)
        return prepared

    def forward(self, prepared: dict[str, Tensor], part: int) -> Tensor:
        """Mean squared error of the predicted noise over the whole latent, at one timestep per picture."""
        times, noise = prepared["times"][part], prepared["noise"][part]
        noisy = noised(prepared["clean"], noise, times, self.alphas)
        context = self.context(prepared["ids"], prepared["people"])
        return F.mse_loss(self.noise(noisy, prepared["around"], times, context).float(), noise)

    def context(self, ids: Tensor, people: Tensor) -> Tensor:
        """Text [b, length] and references, faces or already vectors [b, n, 512]: [b, length + tokens, C]."""
        vectors = people if people.ndim == 3 else self._vectors(people)
        text = self.text_encoder(ids)[0]
        return torch.cat([text, self.transformer(vectors).to(text.dtype)], dim=1)

    def noise(self, noisy: Tensor, around: Tensor, times: Tensor, context: Tensor) -> Tensor:
        """The U-Net's answer. around: the hole and the picture around it, [b, 5, h, w]."""
        mask, masked = around[:, :1], around[:, 1:]
        answer: Tensor = self.unet(torch.cat([noisy, mask, masked], dim=1), times, context).sample
        return answer

    def tokens_of(self, texts: list[str]) -> Tensor:
        length = self.tokenizer.model_max_length
        made = self.tokenizer(
            texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        ids: Tensor = made.input_ids
        return ids

    def _vectors(self, faces: Tensor) -> Tensor:
        vectors: Tensor = self.face_net(faces.flatten(0, 1))
        return vectors.unflatten(0, faces.shape[:2])

    def _latents(self, pictures: Tensor, source: torch.Generator) -> Tensor:
        return encode(self.vae, pictures, source if self.sample_latents else None)


def _transformer(start: Base | None, width: int, face_net: IResNet) -> IdentityTransformer:
    vector = int(face_net.fc.out_features)
    if start is None:
        return IdentityTransformer(vector, width, TOKENS, _LAYERS, _INNER)
    found = start.transformer
    if (found.embedding_width, found.token_width) != (vector, width):
        raise ValueError(
            f"{start.name} takes vectors {found.embedding_width} wide and makes tokens {found.token_width} "
            f"wide; the face encoder gives {vector} and the base model takes {width}."
        )
    return IdentityTransformer.build(found.state_dict()).requires_grad_(True)


def _word(base: InpaintingModel, start: Base | None) -> PersonalWord:
    """The placeholder joins the vocabulary; its vector begins as that of the end of a text."""
    base.tokenizer.add_tokens([PLACEHOLDER])
    number = int(base.tokenizer.convert_tokens_to_ids(PLACEHOLDER))
    table = base.text_encoder.get_input_embeddings()
    vector = table.weight[base.tokenizer.eos_token_id] if start is None else start.word
    word = PersonalWord(table, number, vector)
    base.text_encoder.set_input_embeddings(word)
    return word
