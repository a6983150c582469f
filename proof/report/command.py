"""`python -m proof world report`."""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..training.command import CACHE, MODELS, SEEDS
from ..training.stages import STAGES, Rooms

if TYPE_CHECKING:
    from .rows import Row
    from .shots import Shots

DOCS = CACHE.parents[1] / "docs" / "proof"
#: People, and steps of sampling.
PEOPLE = {"full": 200, "quick": 12}
STEPS = 10

log = logging.getLogger(__name__)


def add_to(commands: Any) -> None:
    """Adds the command to argparse's subparsers."""
    command = commands.add_parser("report", help="draw with every method, judge it and write docs/proof")
    command.add_argument(
        "--quick", action="store_true", help="few people, the rows that bars are for, into the cache"
    )
    command.add_argument("--check", action="store_true", help="exit with 1 when a stored bar falls")
    command.add_argument("--rows", action="append", default=[], metavar="NAME", help="may be repeated")
    command.add_argument("--people", type=int, help=f"how many (default: {PEOPLE['full']})")
    command.add_argument("--workers", type=int, default=1, help="processes that draw (default: %(default)s)")
    command.add_argument("--into", type=Path, metavar="FOLDER", help="where it is written")
    command.add_argument("--models", type=Path, default=MODELS, help="folder of trained stages")
    command.add_argument(
        "--cache", type=Path, default=CACHE / "full", help="folder for what is made from them"
    )
    command.add_argument(
        "--seeds", action="store_true", help="also what was trained with `train --only STAGE --seed N`"
    )
    command.add_argument("--bars", type=Path, help="other bars than those of proof/report/bars.json")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Raises SystemExit with the sentences of the bars that fell."""
    from .. import host_files
    from . import bars, claims, readme, rows, seeds, selftest, variants
    from .cases import cases
    from .judging import JUDGES
    from .write import Report, write

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    rooms = Rooms(options.models.resolve(), options.cache.resolve())
    kind = "quick" if options.quick else "full"
    for judge in JUDGES:
        if not host_files.stage_file(judge, rooms).is_file():
            raise ValueError(
                f"Nothing can be judged: {judge} is not trained in {rooms.models}. Run `python -m proof "
                f"world train --only {judge}`."
            )
    people = options.people or PEOPLE[kind]
    stored = bars.read(options.bars or bars.FILE, kind)
    asked = {name for bar in stored for name in (bar.row, bar.minus)}
    chosen = [rows.row(name) for name in options.rows]
    chosen = chosen or [row for row in rows.rows() if not options.quick or row.name in asked]
    lacking = {row.name: row.lacks(rooms) for row in chosen}
    lacking = {name: lacks for name, lacks in lacking.items() if lacks}
    ready = [row for row in chosen if row.name not in lacking]
    _share_out(options, [row.name for row in ready])
    with _Room(rooms) as room:
        shots = room.shots([row for row in ready if not row.variant], people)
        answers = selftest.asked(room.eyes, cases(min(2 * people, 50)), shots)
        kept = {} if options.quick or options.rows else _demo(room)
    for variant in sorted({row.variant for row in ready} - {""}):
        with _Room(variants.rooms_of(variant, rooms)) as other:
            shots |= other.shots([row for row in ready if row.variant == variant], people)
    shots = {row.name: shots[row.name] for row in ready}
    found = seeds.directions(shots, _seeds(rooms, people, shots)) if options.seeds else []
    if options.rows:
        stored = [bar for bar in stored if bar.row in shots and (not bar.minus or bar.minus in shots)]
    fallen = bars.fallen(stored, shots)
    aside = "quick" if options.quick else "rows" if options.rows else ""
    folder = options.into or (rooms.cache / "report" / aside if aside else DOCS)
    verdicts = claims.verdicts(shots)
    networks = _networks(rooms)
    if not options.quick and folder == DOCS:
        readme.put(readme.block(shots, verdicts, people), DOCS.parents[1] / "README.md")
    told = (kind, people, STEPS, chosen, shots, lacking, answers, verdicts, fallen, networks)
    write(Report(*told, found, kept), folder)
    log.info("Written: %s", folder)
    wrong = [f"The self-test {one.name} failed: {one.found}." for one in answers if one.right is False]
    for sentence in [*fallen, *wrong]:
        log.warning(sentence)
    if options.check and (fallen or wrong):
        raise SystemExit("\n".join(["The report does not clear its bars:", *fallen, *wrong]))


class _Room:
    """The host and the judges, begun when first needed and left in order."""

    def __init__(self, rooms: Rooms) -> None:
        from contextlib import ExitStack

        self.rooms, self._stack = rooms, ExitStack()
        self._studio: Any = None
        self._eyes: Any = None

    @property
    def eyes(self) -> Any:
        from .judging import Judges
        from .running import Eyes

        if self._eyes is None:
            self._eyes = Eyes(Judges.of(self.rooms))
        return self._eyes

    def begin(self) -> tuple[Any, Any]:
        if self._studio is None:
            import torch

            from .. import host_files
            from .studio import Studio

            torch.set_num_threads(1)  # small operations on several threads mostly wait for each other
            self._studio = Studio(self.rooms, STEPS)
            self._stack.enter_context(host_files.offered(self.rooms))
        return self._studio, self.eyes

    def shots(self, rows: Sequence[Row], people: int) -> dict[str, Shots]:
        from .running import groups_of, shots_of

        given = self.begin, self.rooms, STEPS
        return {row.name: shots_of(row, *given, groups_of(row, people), str(people)) for row in rows}

    def __enter__(self) -> _Room:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()


def _demo(room: _Room) -> dict[str, Shots]:
    """The demo's person drawn by each of its rows that needs not learn first, for thumbnails and whoever
    wants to see more of one person."""
    from ..demo.draw import METHODS, groups
    from . import shown
    from .rows import row
    from .running import shots_of

    named = [row(name) for names in (*METHODS.values(), shown.MORE) for name in names]
    ready = [one for one in named if not (one.learns or one.lacks(room.rooms))]
    given = room.begin, room.rooms, STEPS
    return {one.name: shots_of(one, *given, groups(one)[: shown.EACH], "demo") for one in ready}


def _seeds(rooms: Rooms, people: int, drawn: Iterable[str]) -> dict[str, dict[str, Shots]]:
    """What the files of each other seed draw, of the rows that depend on them."""
    from . import seeds, variants
    from .rows import row

    found = {}
    for folder in sorted(SEEDS.glob("[0-9]*")):
        files = seeds.trained(folder, rooms)
        again = [row(name) for name in seeds.touched(files, drawn)]
        with _Room(variants.with_files(rooms, f"seed-{folder.name}", files)) as room:
            found[folder.name] = room.shots(again, min(people, seeds.PEOPLE))
    return found


def _share_out(options: argparse.Namespace, names: list[str]) -> None:
    """Other processes draw their part into the cache, from which this one takes everything."""
    if options.workers <= 1 or len(names) <= 1:
        return
    given = [sys.executable, "-m", "proof", "world", "report", "--models", str(options.models)]
    given += ["--cache", str(options.cache)] + (["--quick"] if options.quick else [])
    given += ["--people", str(options.people)] if options.people else []
    running = []
    for n in range(options.workers):
        mine = [part for name in names[n :: options.workers] for part in ("--rows", name)]
        into = Path(options.cache) / "report" / f"worker-{n}"
        running.append(subprocess.Popen([*given, *mine, "--into", str(into)]))
    ends = [process.wait() for process in running]
    if any(ends):
        raise ValueError("A process that draws for the report broke off: its last lines say why.")


def _networks(rooms: Rooms) -> dict[str, Any]:
    """What the finished stages weigh, and what they measured of themselves."""
    found = {}
    for stage in STAGES:
        file = rooms.models / f"{stage.name}.safetensors"
        facts = rooms.models / f"{stage.name}.json"
        if file.is_file() and facts.is_file():
            figures = json.loads(facts.read_text(encoding="utf-8"))
            figures = {name: value for name, value in figures.items() if name != "seconds"}
            found[stage.name] = {"megabytes": round(file.stat().st_size / 1e6, 2), "figures": figures}
    return found
