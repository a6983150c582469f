from __future__ import annotations

import torch

from proof.networks import diffusion


def test_what_is_kept_falls_from_nearly_all_to_nearly_nothing() -> None:
    kept = diffusion.kept()
    assert kept.shape == (diffusion.STEPS,)
    assert (kept.diff() < 0).all()
    assert kept[0] > 0.999 and kept[-1] < 0.005


def test_much_noise_weighs_more_than_little_and_all_together_one() -> None:
    weights = diffusion.weights(torch.arange(diffusion.STEPS))
    assert torch.isclose(weights.mean(), torch.tensor(1.0), atol=1e-4)
    assert weights[900] > 3 * weights[300] > 3 * weights[20] > 0


def test_around_a_higher_level_noisier_pictures_weigh_more() -> None:
    times = torch.arange(diffusion.STEPS)
    usual, early = diffusion.weights(times), diffusion.weights(times, 0.8)
    assert torch.isclose(early.mean(), torch.tensor(1.0), atol=1e-4)
    assert early[900] > usual[900] and early[300] < usual[300]
    assert torch.equal(diffusion.weights(times), usual), "one level's weights are not another's"


def test_ddim_with_the_right_noise_gives_back_the_picture() -> None:
    chance = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(2, 4, 8, 8, generator=chance) for _ in range(2))

    def right(latents: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        part = diffusion.kept()[times].reshape(-1, 1, 1, 1)
        return (latents - part.sqrt() * clean) / (1 - part).sqrt()

    start = diffusion.noised(clean, noise, torch.full((2,), diffusion.STEPS - 1))
    found = diffusion.ddim(right, start, steps=8)
    kept = diffusion.kept()[0]
    assert torch.allclose(found, kept.sqrt() * clean + (1 - kept).sqrt() * noise, atol=1e-3)
