"""What is checked on a device, method by method and precision by precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from support.device_watch import NoFloat64, outputs_of
from support.golden import relative_error
from support.method_runs import FULL, METHODS, NOTHING, Method

from .compiling import NAME as COMPILING
from .compiling import check_compiling
from .host import Host
from .report import Report
from .timing import measured, step_seconds
from .tuning import NAME as TUNING
from .tuning import Tuning

#: How much further from the CPU's float32 than the plain network's picture a method's may be: two roundings.
#: NVIDIA's cards round float32 to 11 bits in convolutions.
TOLERANCE = {torch.float32: 2 * 2**-11, torch.float16: 2 * 2**-11, torch.bfloat16: 2 * 2**-8}
#: What every method changes of a picture at full strength, at least.
CHANGED = 0.03
LOSS_TOLERANCE = 0.02
#: What an allocator may keep for itself.
SPARE_BYTES = 1_000_000

Numbers = dict[str, torch.Tensor]


def write_reference(host: Host, path: Path) -> None:
    """Pictures and the loss as this device, a CPU, makes them in float32."""
    made: Numbers = {}
    for name, make in METHODS.items():
        with torch.inference_mode():
            method = make(host, torch.float32)
            made |= {f"{name}.plain": method.plain(), f"{name}.full": method.draw(FULL)}
    made[TUNING] = torch.tensor(Tuning(host).step().loss)
    save_file({name: value.float().contiguous().clone() for name, value in made.items()}, path)


def run_checks(host: Host, reference: Path, report: Report) -> None:
    """Everything, one line each; what fails does not keep the rest from running."""
    wanted = load_file(reference)
    report.head(host.device)
    for dtype in TOLERANCE:
        if not supports(host.device, dtype):
            report.left_out(dtype, "this device does not compute with it")
            continue
        for name, make in METHODS.items():
            with report.check(f"{name}, {_short(dtype)}") as say, torch.inference_mode():
                check_method(host, make(host, dtype), dtype, name, wanted, say)
    with report.check(COMPILING) as say, torch.inference_mode():
        check_compiling(host, say)
    with report.check(TUNING) as say:
        check_tuning(host, float(wanted[TUNING]), say)


Say = Callable[[str], None]


def check_method(
    host: Host, method: Method, dtype: torch.dtype, name: str, wanted: Numbers, say: Say
) -> None:
    """Raises AssertionError that says what is wrong."""
    with NoFloat64(method.network) as watch, outputs_of(method.network) as plain_outputs:
        plain = method.plain()
    hosts_own = watch.found  # such as Flux's positions
    with NoFloat64(method.network) as watch, outputs_of(method.network) as outputs:
        found = method.draw(FULL)
    assert torch.isfinite(found).all(), "the picture holds NaN or infinity"
    assert outputs == plain_outputs, f"the network gave {outputs}, without the method {plain_outputs}"
    where = {(precision, device.type) for precision, device in outputs}
    assert where == {(dtype, host.device.type)}, f"the network ran on {where}"
    wide = watch.found - hosts_own
    assert not wide, f"float64 on the device: {sorted(wide)[:3]}"
    assert found.dtype == plain.dtype, f"the picture is {found.dtype}, without the method {plain.dtype}"
    assert relative_error(found.float(), plain.float()) > CHANGED, "the method does nothing"
    lost = relative_error(plain.float(), wanted[f"{name}.plain"])
    error = relative_error(found.float(), wanted[f"{name}.full"])
    say(f"differs from the CPU by {error:.1e}, the plain network by {lost:.1e}")
    assert error <= 1.5 * lost + TOLERANCE[dtype], "further from the CPU than the plain network"
    assert torch.equal(method.draw(NOTHING), plain), "strength 0 is not bit-equal to the plain network"
    _, kept = measured(host.device, lambda: method.draw(FULL))
    if host.device.type != "cpu" or dtype == torch.float32:  # nobody draws in halves on a CPU
        without, with_it = (
            step_seconds(host.device, run) for run in (method.plain, lambda: method.draw(FULL))
        )
        say(f"a step {with_it * 1e3:.1f} ms, without the method {without * 1e3:.1f} ms")
    say(f"{kept / 1e6:.1f} MB stay")
    assert kept <= SPARE_BYTES, f"{kept / 1e6:.1f} MB stay on the device after sampling"


def check_tuning(host: Host, wanted: float, say: Say) -> None:
    tuning = Tuning(host)
    step = tuning.step(watched=True)
    assert not step.wide, f"float64 on the device: {sorted(step.wide)[:3]}"
    say(f"loss {step.loss:.4f}, on the CPU {wanted:.4f}")
    assert abs(step.loss - wanted) <= LOSS_TOLERANCE * wanted, "the loss is another than on the CPU"
    assert step.finite, "what was learnt holds NaN or infinity"
    assert step.changed, "nothing was learnt"
    seconds, kept = measured(host.device, tuning.step)
    say(f"a step {seconds * 1e3:.0f} ms, {kept / 1e6:.1f} MB stay")
    assert kept <= SPARE_BYTES, f"{kept / 1e6:.1f} MB stay on the device after a step"


def supports(device: torch.device, dtype: torch.dtype) -> bool:
    x = torch.ones(1, 4, 8, 8)
    try:
        y = torch.nn.functional.conv2d(x.to(device, dtype), torch.ones(4, 4, 3, 3).to(device, dtype))
        return bool(torch.isfinite((y.flatten(2) @ y.flatten(2).transpose(1, 2)).float().cpu()).all())
    except (RuntimeError, TypeError):
        return False


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
