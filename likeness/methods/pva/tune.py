"""PVA tuned on one person: 40 steps on their photos, in the host. Spec: pva_freecure_emojidiff.md A.5.1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ... import host
from ...adapters import Tokens
from ...attention.use import Use
from ...attention.wrappers import SITES
from ...choices.pva import AUTO, COMPUTE_PRECISIONS, CROSS_ALL, SETS
from ...faces.references import REFERENCE, Images, references
from ...sampling.noised import noised
from ...values import Identity
from . import files
from .apply import apply, match
from .content import PVA, identity_tokens
from .learning import lessons, strata
from .material import Material, prepare, row
from .prompt import check_clip
from .student import Student

_WEIGHT_DECAY = 0.01

#: Told the losses so far after every step; it may end the tuning by raising.
Report = Callable[[Sequence[float]], None]


@dataclass(frozen=True)
class Plan:
    """How to tune; the defaults are the authors'.

    timesteps: how many per step, each out of its part of the schedule. tensors: cross_all also tunes the
    layers' own attention, visual_only what PVA added. word_learning_rate: of `<new1>`; 0 leaves it alone.
    size: of a side of the pictures, a multiple of 8: the one that the network draws.
    """

    steps: int = 40
    timesteps: int = 2
    tensors: str = CROSS_ALL
    learning_rate: float = 2e-5
    word_learning_rate: float = 1e-3
    seed: int = 0
    precision: str = AUTO
    save_memory: bool = True
    size: int = REFERENCE

    def __post_init__(self) -> None:
        if self.tensors not in SETS or self.precision not in COMPUTE_PRECISIONS:
            choices = f"tensors must be one of {', '.join(SETS)}"
            raise ValueError(f"{choices}, and precision one of {', '.join(COMPUTE_PRECISIONS)}.")
        if self.steps < 1 or self.timesteps < 1:
            raise ValueError(f"steps ({self.steps}) and timesteps ({self.timesteps}) must be at least 1.")
        if self.size < 64 or self.size % 8:
            raise ValueError(f"size must be a multiple of 8 from 64 on, not {self.size}.")
        if self.learning_rate <= 0 or self.word_learning_rate < 0:
            raise ValueError(
                f"learning_rate ({self.learning_rate}) must be above 0, and word_learning_rate "
                f"({self.word_learning_rate}) not below."
            )

    @property
    def dtype(self) -> torch.dtype:
        return COMPUTE_PRECISIONS[self.precision] or host.training.training_dtype()


@dataclass(frozen=True, eq=False)
class Tuned:
    """What came of it: the MODEL with the person, their layer, their tokens, and the loss of each step."""

    model: Any
    pva: PVA
    tokens: Tokens
    losses: tuple[float, ...]


def tune(
    model: Any,
    clip: Any,
    vae: Any,
    pva: PVA,
    images: Images,
    align: bool,
    plan: Plan,
    report: Report | None = None,
) -> Tuned:
    """Tunes a base file's PVA on photos of one person; nothing that is given changes.

    model, clip, vae: of an SD2 inpainting checkpoint. images: as Encode PVA takes them. Raises ValueError for
    what does not fit, MissingModel without the face encoder, and what `report` raises.
    """
    if pva.person is not None:
        raise ValueError(
            f"pva already has a person: {pva.name}. Tuning starts at the base file: set person_file of Load "
            "PVA to none."
        )
    sites = match(model, pva)
    if model.model_options["transformer_options"].get(SITES):
        raise ValueError(
            "model already carries a person or an expression, which the tuning would learn, too: connect the "
            "checkpoint itself; LoRAs may lie between."
        )
    check_clip(clip, pva)
    host.training.check_loader(model, "model")
    host.training.check_loader(clip.patcher, "clip")
    portraits = references(images, align)
    encode = host.sampling.latent_encoder(model, vae)
    material = prepare(portraits, encode, lambda faces: files.encode_faces(pva, faces), plan.size)
    with host.training.learning():
        student = Student(model, clip, pva, sites, plan.tensors == CROSS_ALL, plan.dtype)
        losses = learn(student, material.apart(), plan, report)
        person = student.person(f"a person on {material.pictures} photos")
        del student
    tuned = PVA(pva.base, person)
    tokens = identity_tokens(tuned, Identity(material.person(material.views), pva.base.recogniser))
    return Tuned(apply(model, tuned, tokens, Use(1.0)), tuned, tokens, losses)


def learn(
    student: Student, material: Material, plan: Plan, report: Report | None = None
) -> tuple[float, ...]:
    """The steps themselves, while `host.learning`: the loss of each. Raises RuntimeError when one is NaN."""
    generator = torch.Generator().manual_seed(plan.seed)
    if plan.save_memory:
        host.training.save_memory(student.model)
    predictor = host.training.NoisePredictor(student.model, tuple(material.clean.shape), plan.save_memory)
    groups = [{"params": student.attention, "lr": plan.learning_rate}]
    groups += [{"params": [student.word], "lr": plan.word_learning_rate}] if plan.word_learning_rate else []
    optimizer = torch.optim.AdamW(groups, weight_decay=_WEIGHT_DECAY)
    losses: list[float] = []
    for _, lesson in zip(range(plan.steps), lessons(material.pictures, generator), strict=False):
        student.meet(material.person(lesson.references))
        target, step = slice(row(lesson.target), row(lesson.target) + 1), []
        for timestep in strata(plan.timesteps, generator):
            noise = torch.randn(material.clean[target].shape, generator=generator)
            loss = noise_loss(student, predictor, material, target, noise, timestep)
            (loss / plan.timesteps).backward()
            step.append(float(loss.detach()))
        losses.append(sum(step) / len(step))
        if not torch.isfinite(torch.tensor(losses[-1])):
            raise RuntimeError(
                f"The loss of step {len(losses)} is {losses[-1]}: lower learning_rate, or set precision to "
                "float32."
            )
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if report:
            report(losses)
    return tuple(losses)


def noise_loss(
    student: Student,
    predictor: host.training.NoisePredictor,
    material: Material,
    rows: slice,
    noise: torch.Tensor,
    timestep: torch.Tensor,
) -> torch.Tensor:
    """The mean squared error of the noise that the network sees in some rows, over the whole latents."""
    prompt = student.prompt()
    predictor.load()  # the text encoder may have taken its place
    noisy = noised(material.clean[rows], noise, timestep[None], predictor.alphas_cumprod)
    guess = predictor(noisy, int(timestep), prompt, material.inpainting[rows])
    return torch.nn.functional.mse_loss(guess, noise.to(guess.device))
