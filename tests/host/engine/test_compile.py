"""Methods on a network that TorchCompileModel compiled: one graph, and the right picture at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from support.features.methods import FULL, METHODS, Method
from support.features.run import Run, draw
from support.features.world import World
from support.golden import relative_error

COMPILED = (
    "InstantID",
    "Apply Expression",
    "Apply Reference",
    "Apply E-Adapter",
    "Apply PVA",
    "Apply FACT",
    "Hold Identity",
)


@pytest.fixture(autouse=True)
def as_the_executor_does() -> Iterator[None]:
    torch._dynamo.reset()
    with torch.inference_mode():
        yield
    torch._dynamo.reset()


@pytest.fixture(scope="module")
def world(host: Any, pack: Any, base: Path) -> Iterator[World]:
    """The matrix' networks: what takes long here is to look through one, layer by layer."""
    with torch.inference_mode():
        world = World(host, pack, base)
        yield world
    world.close()


class Compiler:
    """TorchCompileModel with a backend that keeps the graphs and runs them as they are."""

    def __init__(self) -> None:
        self.graphs: list[Any] = []

    def __call__(self, graph: Any, inputs: Any) -> Callable[..., Any]:
        self.graphs.append(graph)
        return graph.forward

    def on(self, model: Any) -> Any:
        from comfy_api.torch_helpers import set_torch_compile_wrapper
        from comfy_extras.nodes_torch_compile import skip_torch_compile_dict

        model = model.clone(disable_dynamic=True)
        options = {"guard_filter_fn": skip_torch_compile_dict}
        set_torch_compile_wrapper(model=model, backend=self, options=options)
        model.model_options["transformer_options"]["optimized_attention_override"] = torchs
        return model

    def draw(self, run: Run) -> torch.Tensor:
        return draw(run.but(model=self.on(run.model)))


def torchs(function: Any, *args: Any, **kwargs: Any) -> Any:
    """PyTorch's attention in place of the host's choice for CPUs, which breaks any graph."""
    from comfy.ldm.modules.attention import attention_pytorch

    return attention_pytorch(*args, **kwargs)


def method_of(name: str) -> Method:
    (found,) = (method for method in METHODS if method.name == name)
    return found


@pytest.mark.parametrize("name", COMPILED)
def test_a_compiled_network_is_one_graph_and_draws_the_same(world: World, name: str) -> None:
    """The plain network of SDXL and of SD1.5 is one graph; it must not be used where a method is in it."""
    method = method_of(name)
    start = world.start(method.network)
    plain, full = draw(start), draw(method.apply(world, start, FULL))
    assert relative_error(plain, full) > 1e-4
    compiler = Compiler()
    if name in ("InstantID", "Apply Expression"):
        assert relative_error(compiler.draw(start), plain) < 1e-5
        assert len(compiler.graphs) == 1
        compiler.graphs.clear()
    for _ in range(2):
        assert relative_error(compiler.draw(method.apply(world, start, FULL)), full) < 1e-5
        assert len(compiler.graphs) == 1, "the method breaks the graph, or the same again is compiled anew"


def test_freecure_refuses_a_compiled_network(world: World) -> None:
    method = method_of("Guide with FreeCure")
    run = method.apply(world, world.start(method.network), FULL)
    compiler = Compiler()
    with pytest.raises(ValueError, match=r"foundation is compiled.*Take the compile node out"):
        draw(run.but(foundation=compiler.on(run.foundation)))
    with pytest.raises(ValueError, match="personalised is compiled"):
        draw(run.but(model=compiler.on(run.model)))


def test_the_graph_of_one_strength_is_not_that_of_another(world: World) -> None:
    """The host's node drops the guards on what patches are."""
    method = method_of("Apply Expression")
    start = world.start(method.network)
    drawn = {strength: draw(method.apply(world, start, strength)) for strength in (FULL, FULL / 2)}
    compiler = Compiler()
    for _ in range(2):
        for strength, picture in drawn.items():
            assert relative_error(compiler.draw(method.apply(world, start, strength)), picture) < 1e-5
    assert len(compiler.graphs) == 2
    assert relative_error(*drawn.values()) > 1e-4
