"""The runs of scale.py: `python -m batch run` as a user starts it, read from its ledger."""

from __future__ import annotations

import copy
import json
import os
import shlex
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from conftest import comfyui_folder
from support import stub_comfyui
from support.batches import SMALLEST
from support.booted import ATTENTION

from batch.answers import files
from batch.client import Client
from batch.graph import node_names
from batch.host import Host
from batch.ledger import Ledger
from batch.values import HostSettings, Prompt
from installer import paths, tiny

#: Rows of one run, where the real host draws. What it draws is made heavier for `workers`, so that a row is
#: drawing for the most part, as with real checkpoints.
ROWS, HEAVY = 60, {"width": 256, "height": 256, "steps": 8}


@dataclass
class Watched:
    """A run that ended. ended: when each row did, sorted; worker: who drew it. samples: (when, CPU, RSS)."""

    ended: list[float] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)
    samples: list[tuple[float, float, int]] = field(default_factory=list)

    @property
    def periods(self) -> list[float]:
        """Seconds from row to row."""
        return [later - sooner for sooner, later in zip(self.ended, self.ended[1:], strict=False)]

    def rate(self) -> float:
        """Rows a minute, from when every worker had drawn two rows until the first had none left."""
        begin = max(sorted(e for e, w in self._by(n))[1] for n in set(self.workers) for w in [n])
        end = min(max(e for e, _ in self._by(n)) for n in set(self.workers))
        return 60 * sum(begin < when <= end for when in self.ended) / (end - begin)

    def _by(self, name: str) -> list[tuple[float, str]]:
        return [(e, w) for e, w in zip(self.ended, self.workers, strict=True) if w == name]

    def cpu(self) -> float:
        """Seconds of the processor that the driver took for a row, between the first row and the last."""
        first, last = self._at(self.ended[0]), self._at(self.ended[-1])
        return (last - first) / (len(self.ended) - 1)

    def _at(self, moment: float) -> float:
        return min(self.samples, key=lambda sample: abs(sample[0] - moment))[1]

    @property
    def peak(self) -> float:
        """MB of the driver."""
        return max(sample[2] for sample in self.samples) / 1e6


class Bench:
    """place: an empty folder. rounds: runs of each kind, which take turns."""

    def __init__(self, place: Path, rounds: int) -> None:
        self.place, self.rounds = place, rounds
        self._count = 0
        comfyui, base = comfyui_folder(), place / "base"
        paths.link_folder(tiny.PACK, base / "custom_nodes" / tiny.PACK.name)
        models = tiny.ensure_tiny(sys.executable, comfyui) / "models"
        words = ["--disable-api-nodes", "--disable-all-custom-nodes", "--whitelist-custom-nodes"]
        words += [tiny.PACK.name, *ATTENTION]
        self._real = ["--comfyui", str(comfyui), "--base", str(base), "--models", str(models), "--cpu"]
        self._real += ["--threads", "1", f"--host-arguments={shlex.join(words)}"]
        command = [sys.executable, str(comfyui / "main.py"), "--base-directory", str(base)]
        command += ["--models-directory", str(models), *words]
        self._settings = HostSettings(tuple(command), cpu=True, threads=1)
        self._stub = ["--comfyui", str(stub_comfyui.write(place / "stub")), "--cpu"]

    def workers(self) -> list[str]:
        """Rows a minute with one worker and two."""
        graph = copy.deepcopy(SMALLEST)
        graph["4"]["inputs"] |= {n: HEAVY[n] for n in ("width", "height")}
        graph["5"]["inputs"]["steps"] = HEAVY["steps"]
        rates: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(self.rounds):
            for count in rates:
                run = self._run(graph, ROWS * count, ["--local", "--workers", str(count), *self._real])
                rates[count].append(run.rate())
                _say(f"{count} workers: {rates[count][-1]:.0f} rows a minute")
        one, two = (statistics.median(rates[count]) for count in rates)
        what = f"{HEAVY['width']} pixels, {HEAVY['steps']} steps of a tiny SD1.5 on the processor"
        ratio = two / one
        return [
            f"| rows a minute, 1 worker ({what}, one thread each) | {one:.0f} | |",
            f"| rows a minute, 2 workers | {two:.0f}, {ratio:.2f}x | {_bar(ratio >= 1.7)} >= 1.7x |",
        ]

    def overhead(self) -> list[str]:
        """A row's time in a batch, less that of the same prompts by hand."""
        kinds = {"plain processes (`--local`)": ["--local"], "our own Ray": []}
        bare: list[float] = []
        batches: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(self.rounds):
            bare += self._by_hand(ROWS)
            for name, how in kinds.items():
                run = self._run(SMALLEST, ROWS, [*how, "--workers", "1", *self._real])
                batches[name] += run.periods
        base, lines = statistics.median(bare), []
        for name, periods in batches.items():
            more = statistics.median(periods) - base
            _say(f"{name}: {more * 1e3:.1f} ms over {base * 1e3:.1f} ms by hand")
            what = f"a row over a bare POST to such a host ({base * 1e3:.0f} ms), {name}"
            lines.append(f"| {what} | {more * 1e3:.1f} ms | {_bar(more < 0.03)} < 30 ms |")
        return lines

    def rows(self, counts: Sequence[int]) -> list[str]:
        """Tables of several lengths against a host that answers at once."""
        lines: list[str] = []
        runs: dict[int, tuple[float, float, float]] = {}
        for count in counts:
            repeats = max(1, min(self.rounds, 1000 // count))
            found = [
                self._run(SMALLEST, count, ["--local", "--workers", "1", *self._stub]) for _ in range(repeats)
            ]
            cost = statistics.median(statistics.mean(run.periods) for run in found)
            cpu = statistics.median(run.cpu() for run in found)
            peak = max(run.peak for run in found)
            runs[count] = cost, cpu, peak
            told = f"{cost * 1e3:.1f} ms a row, {cpu * 1e3:.1f} ms of the driver's processor, {peak:.0f} MB"
            _say(f"{count} rows: {told}")
            lines.append(f"| {count:,} rows, a host that answers at once | {told} | |")
        first, last = runs[counts[0]], runs[counts[-1]]
        time_ratio, cpu_ratio, grown = last[0] / first[0], last[1] / first[1], last[2] - first[2]
        told = f"{time_ratio:.2f}x the time a row, {cpu_ratio:.2f}x the processor, {grown:+.0f} MB"
        bars = f"{_bar(time_ratio <= 1.2)} <= 1.2x, {_bar(grown < 200)} < 200 MB"
        lines.append(f"| {counts[-1]:,} rows beside {counts[0]:,} | {told} | {bars} |")
        return lines

    def _by_hand(self, rows: int) -> Iterator[float]:
        """Seconds of each row: POST, questions until it is done, its picture."""
        host = Host(self._settings)
        host.boot()
        client = Client(host.url)
        try:
            for number in range(rows):
                prompt: Prompt = copy.deepcopy(SMALLEST)
                prompt["2"]["inputs"]["text"] = f"person {number}"
                prompt["5"]["inputs"]["seed"] = number
                begin, name = time.perf_counter(), str(uuid.uuid4())
                client.queue(prompt, name, "")
                while (entry := client.entry(name)) is None:
                    time.sleep(0.002)
                for _, reference in files(entry, node_names(prompt)):
                    client.view(reference)
                yield time.perf_counter() - begin
        finally:
            client.close()
            host.close()

    def _run(self, graph: Prompt, rows: int, how: Sequence[str]) -> Watched:
        """`python -m batch run`, watched."""
        self._count += 1
        place = self.place / f"run-{self._count}"
        place.mkdir()
        (place / "workflow.json").write_text(json.dumps(graph))
        text = "".join(json.dumps({"Prompt.text": f"person {n}"}) + "\n" for n in range(rows))
        (place / "rows.jsonl").write_text(text)
        words = [sys.executable, "-m", "batch", "run", str(place / "workflow.json")]
        words += ["--rows", str(place / "rows.jsonl"), "--out", str(place / "out"), "--json", *how]
        watched = Watched()
        with (place / "said").open("wb") as said:
            driver = subprocess.Popen(words, cwd=paths.REPOSITORY, stdout=said, stderr=said)
            threading.Thread(target=_watch, args=(driver.pid, watched), daemon=True).start()
            status = driver.wait()
        assert status == 0, (place / "said").read_text()[-2000:]
        with Ledger(place / "out") as ledger:
            done = sorted((r.ended or 0.0, r.worker) for r in ledger.records("done"))
        watched.ended, watched.workers = [d[0] for d in done], [d[1] for d in done]
        return watched


def _watch(pid: int, watched: Watched) -> None:
    process: Any = psutil.Process(pid)
    try:
        while True:
            times = process.cpu_times()
            sample = time.time(), times.user + times.system, process.memory_info().rss
            watched.samples.append(sample)
            time.sleep(0.05)
    except psutil.Error:
        return


def _bar(met: bool) -> str:
    return "met:" if met else "MISSED:"


def _say(text: str) -> None:
    print(text, flush=True)


def load() -> str:
    """What else runs: a ratio in one run tells less on a busy machine."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
