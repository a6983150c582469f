"""Runs a batch and kills what belongs to it, at moments that a seed chooses; then looks what is left."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from batch.ledger import Ledger, LedgerError
from installer.paths import REPOSITORY
from support.batches import drawn, lines
from support.patience import PATIENCE

#: Runs of one command that may be needed beside one for each kill: a row may be in quarantine by chance.
_MORE = 4
#: Seconds that a slow disk takes for each picture.
_SLOW = 0.03
#: Who can be killed; "writing" is the driver while a picture is half written.
LOCAL, RAY = ("host", "worker", "driver", "writing"), ("host", "worker", "head", "driver", "writing")


class Killing:
    """arguments: of `python -m batch`, with a table of `rows` rows. say: told each kill and its moment."""

    def __init__(
        self,
        out: Path,
        rows: int,
        arguments: Sequence[object],
        seed: int,
        say: Callable[[str], object] = print,
    ) -> None:
        self.out, self.rows = out, rows
        self._arguments = [*map(str, arguments), "--out", str(out)]
        self._random = random.Random(seed)
        self._say = say
        self._family: set[psutil.Process] = set()
        #: What was done at a kill: job -> (tries, when it ended, when its picture was written).
        self._finished: dict[Any, tuple[Any, ...]] = {}
        self.runs = 0
        self.said: list[str] = []

    def run(self, victims: Sequence[str]) -> None:
        """Kill these, in a random order and at random moments, and run the command until it ends well."""
        order = self._random.sample(list(victims), len(victims))
        moments = sorted(self._random.sample(range(2, self.rows * 9 // 10), len(order)))
        kills = list(zip(moments, order, strict=True))
        limit = len(kills) + 1 + _MORE
        while True:
            self.runs += 1
            assert self.runs <= limit, f"It didn't end well in {limit} runs:\n" + "\n".join(self.said[-3:])
            if self._once(kills) == 0:
                assert not kills, f"It ended before it could be killed: {kills}"
                return

    def _once(self, kills: list[tuple[int, str]]) -> int:
        """One run of the command, in which the next of the kills happen; its exit status."""
        log = self.out.with_name(f"{self.out.name}.{self.runs}.log")
        writing = any(victim == "writing" for _, victim in kills)
        how = [str(Path(__file__).with_name("slow_disk.py")), str(_SLOW)] if writing else ["-m", "batch"]
        with log.open("wb") as said:
            driver = subprocess.Popen(
                [sys.executable, *how, *self._arguments], cwd=REPOSITORY, stdout=said, stderr=said
            )
        while kills and self._until(driver, kills[0][0]):
            self._kill(driver, kills[0][1], kills[0][0])
            kills.pop(0)
        try:
            status = driver.wait(PATIENCE)
        finally:
            driver.kill()
        self.said.append(log.read_text(encoding="utf-8", errors="replace"))
        _, alive = psutil.wait_procs(list(self._family), 60)
        assert not alive, f"left behind: {alive}"
        self._family = set()
        return status

    def _until(self, driver: subprocess.Popen[bytes], done: int) -> bool:
        """Wait until so many rows are done; False if the driver ended before."""
        end = time.monotonic() + PATIENCE
        while driver.poll() is None:
            assert time.monotonic() < end, "Nothing goes on."
            try:
                with Ledger(self.out) as ledger:
                    if ledger.counts().get("done", 0) >= done:
                        return True
            except LedgerError:
                pass  # not yet begun
            time.sleep(0.01)
        return False

    def _kill(self, driver: subprocess.Popen[bytes], victim: str, done: int) -> None:
        time.sleep(self._random.uniform(0.0, 0.2))
        end = time.monotonic() + PATIENCE
        while driver.poll() is None:
            assert time.monotonic() < end, f"There is no {victim} to kill."
            found = self._candidates(driver.pid, victim)
            if found:
                chosen = self._random.choice(found)
                self._say(f"{victim} {chosen.pid} is killed after {done} rows")
                self._remember()
                chosen.kill()
                return
            time.sleep(0.001)

    def _candidates(self, driver: int, victim: str) -> list[psutil.Process]:
        """Processes that are such a victim now."""
        if victim == "writing" and not any(self.out.glob("*/*.part")):
            return []
        if victim != "writing" or not self._family:
            self._family |= set(_family(driver))
        if victim in ("driver", "writing"):
            return [psutil.Process(driver)]
        return [process for process in self._family if _is(process, victim)]

    def _remember(self) -> None:
        with Ledger(self.out) as ledger:
            for record in ledger.records("done"):
                files = [(self.out / o.name).stat().st_mtime_ns for o in ledger.outputs(record.id)]
                facts = (record.tries, record.ended, files)
                assert self._finished.setdefault(record.id, facts) == facts, f"{record} was drawn again."

    def check(self, like: Path) -> None:
        """One whole picture and one line for each row, none drawn twice, all equal to those of `like`."""
        self._remember()
        assert len(self._finished) == self.rows
        assert drawn(self.out) == drawn(like)
        assert len(drawn(self.out)) == self.rows
        assert not list(self.out.glob("**/*.part"))
        told = lines(self.out)
        assert [line["row"] for line in told] == list(range(1, self.rows + 1))
        assert {line["state"] for line in told} == {"done"}
        for line in told:
            (output,) = line["outputs"]
            data = (self.out / output["file"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == output["sha256"]


def _family(driver: int) -> list[psutil.Process]:
    try:
        return psutil.Process(driver).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is(process: psutil.Process, victim: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        words = " ".join(process.cmdline())
        if victim == "host":
            return "main.py" in words and "--port" in words
        if victim == "worker":
            return "LikenessWorker" in words or "spawn_main" in words
        return process.name() in ("gcs_server", "raylet")
    except psutil.NoSuchProcess:
        return False


def seed_of(name: str) -> int:
    """The seed of this run: LIKENESS_KILL_SEED, else a new one. Printed, so that it can be given again."""
    seed = int(os.environ.get("LIKENESS_KILL_SEED", random.SystemRandom().randrange(10**6)))
    print(f"{name}: LIKENESS_KILL_SEED={seed}")
    return seed
