"""`run`: the table is checked against a booted host, planned, and drawn."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from . import lock, manifest, outputs
from .booted import Booted, first_ready, model_digests
from .checks import Checker, Fault
from .disk import expected, sentence
from .driver import Driver
from .graph import read_workflow
from .ledger import Ledger
from .options import OptionError, cards, comfyui, host_settings
from .plan import Plan, all_models
from .pool import Pool
from .progress import Progress, choose, counted
from .rows import read_rows
from .run_options import add_run_options, checked_options, judge_of, photo_column, told
from .settings import DONE, SOME_FAILED, STOPPED, USAGE, Settings
from .values import Prompt, Row, WorldError


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("run", help="draw every row of a table; go on where an earlier run stopped")
    add_run_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """The exit status. Raises WorldError, LedgerError, and ValueError for what the command says wrong."""
    checked_options(options)
    prompt = read_workflow(options.workflow)
    rows = read_rows(options.rows, photo_column(prompt, options))
    progress = choose(options.json)
    with ExitStack() as stack:
        ledger = None
        if not options.dry_run:
            ledger = stack.enter_context(Ledger(options.out, write=True))
        pool = make_pool(options)
        ending = stack.enter_context(_ended(pool))
        pool.start()
        if pool.page:
            progress.say(f"Ray's page: {pool.page}.")
        progress.say("Booting a host to check the table ...")
        booted = first_ready(pool, options.boot_timeout)
        plan, faults = make_plan(options, prompt, rows, pool, booted)
        if plan is None:
            tell_faults(faults, options.json)
            return USAGE
        _tell_size(plan, prompt, options, progress)
        if ledger is None:
            progress.say("Nothing was drawn (--dry-run).")
            return DONE
        return _draw(options, plan, rows, pool, booted, ledger, progress, ending)


def make_plan(
    options: argparse.Namespace, prompt: Prompt, rows: list[Row], pool: Pool, booted: Booted
) -> tuple[Plan | None, list[Fault]]:
    """The plan, or None and every fault there is."""
    folder = options.rows if options.rows.is_dir() else options.rows.parent
    inputs = [options.workflow.parent, comfyui(options) / "input"]
    checker = Checker(prompt, booted.info, folder, inputs)
    own, faults = checker.workflow(rows)
    checked, more = checker.rows(rows)
    if faults or more:
        return None, [*faults, *more]
    plan = Plan(
        prompt,
        checked,
        own,
        checker.seeds(),
        options.repeat,
        model_digests(pool, booted, all_models(prompt, checked)),
        booted.versions,
    )
    if options.range is not None:
        plan.only(options.range)
        if not plan.places:
            raise OptionError(f"The table has {counted(len(rows), 'row')}: none of them is in --range.")
    return plan, []


def make_pool(options: argparse.Namespace) -> Pool:
    """As many workers as asked for; one for a dry run, which draws nothing."""
    gpus = cards(options)
    workers = options.workers or max(1, len(gpus))
    settings = host_settings(options, workers)
    options.threads = settings.threads  # told in the lock: on a processor sums depend on it
    workers = 1 if options.dry_run else workers
    if options.local or options.dry_run:
        from .pool_local import LocalPool

        return LocalPool(settings, workers, gpus)
    from .pool_ray import RayPool

    return RayPool(settings, workers, gpus, options.address, options.dashboard)


def tell_faults(faults: list[Fault], as_json: bool) -> None:
    """All of them, those of the workflow first."""
    for fault in sorted(faults, key=lambda fault: fault.row):
        if as_json:
            print(json.dumps({"event": "fault", **vars(fault)}, ensure_ascii=False))
        else:
            print(fault, file=sys.stderr)
    if not as_json:
        print(f"{counted(len(faults), 'fault')}; nothing was drawn.", file=sys.stderr)


def _tell_size(plan: Plan, prompt: Prompt, options: argparse.Namespace, progress: Progress) -> None:
    count = len(plan.places) * options.repeat
    rows = counted(len(plan.places), "row") + (f", each {options.repeat} times" if options.repeat > 1 else "")
    progress.say(f"{rows}. {sentence(expected(prompt, count), options.out)}")


def _draw(
    options: argparse.Namespace,
    plan: Plan,
    rows: list[Row],
    pool: Pool,
    booted: Booted,
    ledger: Ledger,
    progress: Progress,
    ending: _Ending,
) -> int:
    facts = lock.describe(host_settings(options, 1).command, booted.stats, plan.models, comfyui(options))
    facts["command"] = told(options)
    facts["identity"] = {"workflow": plan.workflow, **booted.versions}
    _same_batch(ledger, facts["identity"], options.out)
    ledger.begin(plan.prompt, facts)
    ledger.plan(plan.sources(rows), plan.first_jobs())
    if options.again:
        progress.say(f"{ledger.again()} failed rows are tried again.")
    outputs.clear_parts(options.out)
    lock.write(facts, options.out)
    settings = Settings(options.timeout, options.recycle, int(options.memory_limit * 1e9), options.tries)
    judge = judge_of(options, plan, booted)
    with manifest.Manifest(ledger, options.out) as lines:
        driver = Driver(
            pool, ledger, plan, progress, options.out, settings, judge, lines.add, early=booted.events
        )
        with _signals(driver):
            try:
                driver.run()
            except WorldError:
                ending.now = True
                progress.end("Stopped: see below. Put it right and run the same command again.")
                raise
        ending.now = driver.stopped
        return _end(ledger, driver, plan, progress)


def _end(ledger: Ledger, driver: Driver, plan: Plan, progress: Progress) -> int:
    """What is said of this command's rows; the folder may hold others, of other ranges or since mended."""
    counts = Counter(record.state for record in ledger.last() if record.key in plan.places)
    if driver.stopped and counts["waiting"]:
        progress.end(f"Stopped; {counts['waiting']} are left. Run the same command again to go on.")
        return STOPPED
    wrong, refused = counts["failed"] + counts["quarantined"], counts["rejected"]
    if not wrong and not refused:
        progress.end("All is drawn.")
        return DONE
    parts = [f"{counts['done']} done", *([f"{wrong} failed"] if wrong else [])]
    parts += [f"{refused} of which the judge took no picture"] if refused else []
    progress.end(", ".join(parts) + ".")
    return SOME_FAILED


def _same_batch(ledger: Ledger, identity: dict[str, str], folder: Path) -> None:
    """One folder holds one batch. Raises ValueError."""
    runs = ledger.runs()
    before = runs[-1][2].get("identity", {}) if runs else identity
    other = [name for name in identity if before.get(name) != identity[name]]
    if other:
        raise ValueError(
            f"{folder} holds pictures of another {' and '.join(other)}: what is done would be drawn anew. "
            "Give another --out, or go back to what was there."
        )


class _Ending:
    """How the pool is ended: politely, or at once."""

    now = False


@contextmanager
def _ended(pool: Pool) -> Iterator[_Ending]:
    ending = _Ending()
    try:
        yield ending
    except BaseException:
        ending.now = True
        raise
    finally:
        pool.stop(ending.now)


@contextmanager
def _signals(driver: Driver) -> Iterator[None]:
    """Ctrl-C, and what a cluster sends before it takes a machine away."""

    kinds = [signal.SIGINT, signal.SIGTERM]
    before: list[Any] = [signal.signal(kind, lambda _number, _frame: driver.stop()) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
