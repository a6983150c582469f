"""The resampler against the authors' (instantid_arc2face.md part 3, T1)."""

from __future__ import annotations

import pytest
import torch
from support.reference import filled, inputs, resampler_shapes

from likeness.adapters.projectors import Resampler


def reference() -> Resampler:
    return Resampler.build(filled(resampler_shapes(), 0.4), dim_head=16)


@pytest.mark.parametrize(
    ("embedding", "first", "last", "total", "size"),
    [
        (
            torch.zeros(1, 1, 32),
            (0.8586, -2.311172, 0.925838, -0.110749),
            (0.0778, -1.223555),
            -2.68551,
            160.84658,
        ),
        (
            inputs((1, 1, 32), 0, 6),
            (0.306434, -1.409243, 0.862581, 0.659445),
            (0.030084, -1.312423),
            2.92653,
            158.09631,
        ),
    ],
    ids=["T1a nobody", "T1b somebody"],
)
def test_the_authors_values(
    embedding: torch.Tensor, first: tuple[float, ...], last: tuple[float, ...], total: float, size: float
) -> None:
    found = reference()(embedding).flatten()
    assert torch.allclose(found[:4], torch.tensor(first), atol=1e-5)
    assert torch.allclose(found[-2:], torch.tensor(last), atol=1e-5)
    assert abs(float(found.sum()) - total) < 1e-3 and abs(float(found.abs().sum()) - size) < 1e-3


def test_widths_come_from_the_checkpoint() -> None:
    projector = reference()
    assert (projector.embedding_width, projector.token_width, projector.tokens, projector.depth) == (
        32,
        48,
        4,
        2,
    )


def test_half_precision_checkpoints_run_in_float32() -> None:
    half = {key: value.half() for key, value in reference().tensors.items()}
    found = Resampler.build(half, dim_head=16)(torch.ones(1, 1, 32))
    assert found.dtype == torch.float32 and torch.isfinite(found).all()


def test_a_missing_tensor_is_named() -> None:
    tensors = filled(resampler_shapes(), 0.4)
    del tensors["layers.1.0.to_kv.weight"]
    with pytest.raises(ValueError, match=r"layers\.1\.0\.to_kv\.weight is missing"):
        Resampler.build(tensors)
