"""Identity-irrelevant data iteration: triplets that no camera took. Spec: pva_freecure_emojidiff.md C.4.

For each source: draw pictures with its expression by stage 0's adapter, put other people's faces in, keep
what has the source's expression, the donor's identity and nothing of the source's. Every sample has its
line in progress_000.jsonl, with its reason; a run that was broken off does the others.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...chance import generator, whole
from ...pictures import BadPicture, read_square
from ..faces import Seen, write_picture
from ..lesson import EmojiLesson
from ..portraits import prepare
from ..samples import Batch
from ..triplets import Triplet, write_triplets
from ..watch import draw
from .filter import NO_FACE, SAME, Bars, Verdict, judge, median
from .progress import note, read_progress
from .swap import SwapFailed, write_wanted
from .tools import Tools

log = logging.getLogger(__name__)

PROMPTS = (
    "portrait photo of a person",
    "portrait photo of a person outdoors, soft daylight",
    "close-up photo of a person, studio light, plain background",
    "photo of a person indoors, evening light",
)
SWAP_FAILED, DULL = "swap failed", "below the median of quality"


@dataclass(frozen=True)
class Sample:
    """One picture to make: of which source, the n-th, who is put in, and the words."""

    source: int
    number: int
    donor: int
    prompt: str

    @property
    def name(self) -> str:
        return f"{self.source:06}_{self.number:02}"


def make_triplets(options: argparse.Namespace, tools: Tools, lesson: EmojiLesson, accelerator: Any) -> None:
    """All samples of this process; then the main process writes the list. Raises ValueError."""
    folder = Path(options.output)
    with accelerator.main_process_first():
        sources = prepare(Path(options.data), folder / "sources", options.size // 2)
        donors = sources
        if options.donors:
            donors = prepare(Path(options.donors), folder / "donors", options.size // 2)
    maker = Maker(options, tools, lesson, accelerator, sources, donors)
    done = {line["name"] for line in read_progress(folder)}
    waiting = []
    samples = list(maker.samples())
    for place, sample in enumerate(samples):
        if place % accelerator.num_processes != accelerator.process_index or sample.name in done:
            continue
        verdict = maker.make(sample)
        if verdict is None:
            waiting.append((sample.name, maker.donors[sample.donor].target, maker.drawn(sample)))
            continue
        note(folder, accelerator.process_index, sample.name, verdict.why, verdict.numbers)
    if options.swaps:
        write_wanted(waiting, folder / f"wanted{_suffix(accelerator)}.jsonl")
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        _finish(maker, samples, folder, len(waiting))
    accelerator.wait_for_everyone()


class Maker:
    """Draws, has swapped and judges one sample after the other."""

    def __init__(
        self,
        options: argparse.Namespace,
        tools: Tools,
        lesson: EmojiLesson,
        accelerator: Any,
        sources: Sequence[Triplet],
        donors: Sequence[Triplet],
    ) -> None:
        self.options, self.lesson, self.accelerator = options, lesson, accelerator
        self.sources, self.donors, self.folder = sources, donors, Path(options.output)
        if len(donors) < 2:
            raise ValueError("At least two portraits are needed: a face is put in that is another's.")
        self.swapper, self.looker, self.measure = tools.swapper, tools.looker, tools.measure
        most = options.max_expression or SAME[self.measure.name]
        self.bars = Bars(most, options.min_donor, options.max_source, options.max_yaw)
        self._seen: dict[Path, tuple[Seen, Tensor]] = {}
        log.info("%s At most %g apart.", self.measure.says, most)

    @cached_property
    def prompts(self) -> Sequence[str]:
        if not self.options.prompts:
            return PROMPTS
        try:
            text = Path(self.options.prompts).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"--prompts {self.options.prompts} can't be read. ({error})") from error
        found = [line.strip() for line in text.splitlines() if line.strip()]
        if not found:
            raise ValueError(f"--prompts {self.options.prompts} holds no line.")
        return found

    def samples(self) -> Iterator[Sample]:
        """Everything there is to make, always the same for the same numbers."""
        for source, triplet in enumerate(self.sources):
            others = [
                n for n, donor in enumerate(self.donors) if donor.target.parent != triplet.target.parent
            ]
            others = others or [n for n, donor in enumerate(self.donors) if donor.target != triplet.target]
            for number in range(self.options.per_source):
                chance = generator("idi", self.options.seed, source, number)
                donor = others[whole(0, len(others) - 1, chance)]
                prompt = self.prompts[whole(0, len(self.prompts) - 1, chance)]
                yield Sample(source, number, donor, prompt)

    def drawn(self, sample: Sample) -> Path:
        return self.folder / "drawn" / f"{sample.name}.png"

    def swapped(self, sample: Sample) -> Path:
        folder = self.folder / "swapped" if self.swapper is not None else Path(self.options.swaps)
        return folder / f"{sample.name}.png"

    def make(self, sample: Sample) -> Verdict | None:
        """A sample's verdict; None when its swap is not there yet. What is drawn or swapped already stays."""
        target, output = self.drawn(sample), self.swapped(sample)
        if not target.is_file():
            write_picture(self._draw(sample), target)
        if not output.is_file():
            if self.swapper is None:
                return None
            try:
                self.swapper.run(self.donors[sample.donor].target, target, output)
            except SwapFailed as error:
                log.warning("%s: %s", sample.name, error)
                return Verdict(SWAP_FAILED, {})
        return self._judge(sample, output)

    def _draw(self, sample: Sample) -> Tensor:
        source = self.sources[sample.source]
        side = self.options.size
        template = read_square(source.expression, 224)[None]
        _, vector = self._known(source.target)
        blank, nowhere = torch.zeros(1, 3, side, side), torch.full((1, 5, 2), torch.nan)
        batch = Batch(
            blank, template, vector[None], torch.zeros(1, 3, 112, 112), nowhere, nowhere, [sample.prompt]
        )
        steps, guidance = self.options.sample_steps, self.options.guidance
        seed = f"{self.options.seed}/{sample.name}"
        made = draw(self.lesson, batch, steps, guidance, seed, self.accelerator.autocast)
        return made[0].movedim(0, -1)

    def _judge(self, sample: Sample, output: Path) -> Verdict:
        try:
            made = self.looker.look(output)
        except BadPicture as error:
            log.warning("%s", error)
            return Verdict(SWAP_FAILED, {})
        source, own = self._known(self.sources[sample.source].target)
        _, donor = self._known(self.donors[sample.donor].target)
        vector = None if made is None else self.looker.describe([made])[0]
        verdict = judge(made, source, donor, own, vector, self.bars, self.measure)
        if made is not None and not verdict.why and made.picture.shape[0] != made.picture.shape[1]:
            return Verdict(SWAP_FAILED, verdict.numbers)
        return verdict

    def _known(self, path: Path) -> tuple[Seen, Tensor]:
        """A portrait's face and who it is. Those of the last few are kept."""
        if path not in self._seen:
            seen = self.looker.look(path)
            if seen is None:
                raise ValueError(f"{path}: {NO_FACE}, though there was one when the portraits were prepared.")
            if len(self._seen) > 64:
                self._seen.clear()
            self._seen[path] = seen, self.looker.describe([seen])[0]
        return self._seen[path]


def _finish(maker: Maker, samples: Sequence[Sample], folder: Path, waiting: int) -> None:
    """The list of what passed and is at least as sharp as the median; and how many did not, and why."""
    lines = {line["name"]: line for line in read_progress(folder)}
    passed = [(s, lines[s.name]["numbers"]) for s in samples if s.name in lines and not lines[s.name]["why"]]
    bar = median([numbers["quality"] for _, numbers in passed])
    kept = [sample for sample, numbers in passed if numbers["quality"] >= bar]
    why = Counter(line["why"] for line in lines.values() if line["why"])
    why[DULL] = len(passed) - len(kept)
    for reason, count in why.most_common():
        log.info("%d samples rejected: %s", count, reason)
    if waiting:
        log.info("%d samples wait for their swap: see wanted.jsonl, and start again.", waiting)
    found = [triplet for sample in kept if (triplet := _triplet(maker, sample)) is not None]
    write_triplets(found, folder)
    counts = {"kept": len(found), "waiting": waiting, "rejected": dict(why), "quality bar": bar}
    (folder / "counts.json").write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    log.info("%d triplets of %d samples: %s", len(found), len(samples), folder / "triplets.jsonl")


def _triplet(maker: Maker, sample: Sample) -> Triplet | None:
    source, donor, target = maker.sources[sample.source], maker.donors[sample.donor], maker.swapped(sample)
    seen = maker.looker.look(target) if target.is_file() else None
    if seen is None:
        log.warning("%s is gone since it was judged: left out.", target)
        return None
    points = seen.face.keypoints, seen.mesh_points
    return Triplet(source.expression, target, donor.target, sample.prompt, *points)


def _suffix(accelerator: Any) -> str:
    return f"_{accelerator.process_index}" if accelerator.num_processes > 1 else ""
