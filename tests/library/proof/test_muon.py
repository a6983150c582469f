from __future__ import annotations

import torch

from proof.training.muon import Muon, orthogonal


def test_singular_values_come_near_one() -> None:
    batch = torch.randn(3, 12, 40, generator=torch.Generator().manual_seed(0))
    for matrices in (batch, batch.mT):
        values = torch.linalg.svdvals(orthogonal(matrices))
        assert values.min() > 0.5 and values.max() < 1.3


def test_matrices_of_one_shape_move_as_they_would_alone() -> None:
    chance = torch.Generator().manual_seed(1)
    start = [torch.randn(8, 6, 3, 3, generator=chance) for _ in range(3)]
    gradients = [torch.randn(8, 6, 3, 3, generator=chance) for _ in range(3)]

    def moved(places: list[int]) -> list[torch.Tensor]:
        parameters = [torch.nn.Parameter(start[n].clone()) for n in places]
        optimiser = Muon([(str(n), p) for n, p in zip(places, parameters, strict=True)])
        for n, parameter in zip(places, parameters, strict=True):
            parameter.grad = gradients[n].clone()
        optimiser.step()
        return [parameter.detach() for parameter in parameters]

    together = moved([0, 1, 2])
    for n in range(3):
        assert torch.allclose(together[n], moved([n])[0], atol=1e-6)
        assert not torch.equal(together[n], start[n])


def test_vectors_and_named_matrices_go_the_way_of_adam() -> None:
    chance = torch.Generator().manual_seed(2)
    values = {"bias": torch.randn(5, generator=chance), "words": torch.randn(7, 5, generator=chance)}
    gradients = {name: torch.randn(value.shape, generator=chance) for name, value in values.items()}
    ours = {name: torch.nn.Parameter(value.clone()) for name, value in values.items()}
    theirs = {name: torch.nn.Parameter(value.clone()) for name, value in values.items()}
    muon = Muon(list(ours.items()), plain_rate=1e-2, plain=lambda name: name == "words")
    adam = torch.optim.AdamW(theirs.values(), lr=1e-2, betas=(0.9, 0.99), weight_decay=0)
    for _ in range(4):
        for name, gradient in gradients.items():
            ours[name].grad, theirs[name].grad = gradient.clone(), gradient.clone()
        muon.step()
        adam.step()
    for name in values:
        assert torch.allclose(ours[name], theirs[name], atol=1e-6)
