"""The options of `run`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .booted import Booted
from .graph import node_names, settable
from .options import OptionError, add_host_options
from .plan import Plan
from .settings import Judge, Verdict
from .values import Outcome, Prompt, RowError, WorldError


def add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow", type=Path, metavar="WORKFLOW.json", help="a workflow in API form")
    parser.add_argument(
        "--rows",
        type=Path,
        required=True,
        metavar="TABLE",
        help="a .csv, .tsv, .jsonl or .parquet file whose columns are called TITLE.INPUT, or a folder of "
        "pictures; paths in it begin at its folder; an empty cell leaves what the workflow says",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where the ledger and the pictures go"
    )
    parser.add_argument(
        "--repeat",
        type=int,
        default=1,
        metavar="N",
        help="draw each row N times, each with a seed of its own",
    )
    parser.add_argument(
        "--photo-column",
        default="",
        metavar="TITLE.INPUT",
        help="for a folder of pictures: the input that takes them, where the workflow loads several",
    )
    parser.add_argument(
        "--range",
        type=_range,
        metavar="A-B",
        help="only rows A to B of the table, or A+N, N rows from A on; keys and seeds are as without",
    )
    parser.add_argument("--again", action="store_true", help="try rows again that failed by their own fault")
    parser.add_argument(
        "--dry-run", action="store_true", help="check the whole table against a booted host and stop"
    )
    parser.add_argument("--json", action="store_true", help="say how it goes in lines of JSON")
    workers = parser.add_argument_group("workers")
    workers.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="hosts at a time. Default: one for each graphics card, else one",
    )
    workers.add_argument(
        "--local",
        action="store_true",
        help="plain processes on this machine, without Ray; on Windows the only way",
    )
    workers.add_argument(
        "--address",
        default="",
        metavar="HOST:PORT",
        help="join this Ray cluster. Default: a Ray of our own on 127.0.0.1",
    )
    workers.add_argument(
        "--dashboard",
        action="store_true",
        help="with Ray's page, on 127.0.0.1 and for its token only; a cluster has its own",
    )
    workers.add_argument(
        "--recycle",
        type=int,
        default=0,
        metavar="ROWS",
        help="restart a worker after so many rows. Default: never",
    )
    workers.add_argument(
        "--memory-limit",
        type=float,
        default=0.0,
        metavar="GB",
        help="restart a worker whose host holds more than this. Default: never",
    )
    judge = parser.add_argument_group("judged while it runs")
    judge.add_argument(
        "--judge", choices=["identity"], help="look whether each picture shows the row's person"
    )
    judge.add_argument(
        "--at-least",
        default="",
        metavar="SIMILARITY",
        help="what is accepted: a similarity such as 0.4, or '1 in 100' strangers",
    )
    judge.add_argument(
        "--tries",
        type=int,
        default=1,
        metavar="N",
        help="attempts at a picture that is not accepted, each with the next seed of its row",
    )
    judge.add_argument(
        "--judge-photo",
        default="",
        metavar="TITLE.INPUT",
        help="the column of the person's photo, where there are several",
    )
    judge.add_argument(
        "--judge-pack", default="", metavar="NAME", help="the face pack of the recogniser that judges"
    )
    judge.add_argument(
        "--judge-recogniser",
        default="",
        metavar="NAME",
        help="the recogniser that judges. Default: one that the workflow doesn't use",
    )
    judge.add_argument(
        "--judge-same",
        action="store_true",
        help="let a recogniser judge that the workflow itself uses; it flatters",
    )
    add_host_options(parser)


def told(options: argparse.Namespace) -> dict[str, Any]:
    """The options as the lock keeps them: JSON, with paths that hold in every folder."""
    found = {name: value for name, value in vars(options).items() if not callable(value)}
    rows = {"range": options.range and f"{options.range.start}-{options.range.stop - 1}"}
    paths = {name: str(value.resolve()) for name, value in found.items() if isinstance(value, Path)}
    return {**found, **paths, **rows}


def checked_options(options: argparse.Namespace) -> None:
    """Raises OptionError for what can't be meant."""
    for name, least in (("repeat", 1), ("tries", 1), ("workers", 0), ("recycle", 0), ("memory_limit", 0)):
        if getattr(options, name) < least:
            raise OptionError(f"--{name.replace('_', '-')} must be at least {least}.")
    if options.local and options.address:
        raise OptionError("--local is without Ray, --address joins a Ray cluster: leave one out.")
    if options.dashboard and (options.local or options.address):
        raise OptionError(
            "--dashboard is the page of a Ray of our own: leave it out with --local, and with --address, "
            "whose cluster has one."
        )
    if sys.platform == "win32" and not options.local:
        raise OptionError("On Windows batches run with --local only.")
    if options.out.exists() and not options.out.is_dir():
        raise OptionError(f"{options.out} is a file: --out names a folder.")
    if options.judge is None and (options.tries > 1 or options.at_least):
        raise OptionError("--tries and --at-least are for --judge identity: add it or leave them out.")


def photo_column(prompt: Prompt, options: argparse.Namespace) -> str:
    """Of a folder of pictures, the input that takes them. Raises OptionError."""
    if not options.rows.is_dir() or options.photo_column:
        return str(options.photo_column)
    names = node_names(prompt)
    found = [
        f"{names[node]}.image"
        for node, values in prompt.items()
        if str(values["class_type"]).startswith("LoadImage") and "image" in settable(values["inputs"])
    ]
    if len(found) == 1:
        return found[0]
    raise OptionError(
        f"The workflow loads {len(found)} pictures ({', '.join(found) or 'none'}): say with --photo-column "
        "TITLE.INPUT which of them the folder's are."
    )


def judge_of(options: argparse.Namespace, plan: Plan, booted: Booted) -> Judge | None:
    """Who judges, as the driver asks. Raises ValueError when nobody can."""
    if options.judge is None:
        return None
    from likeness.weights.find import MissingModel

    from . import judge as judging  # brings torch and the face models

    columns = [options.judge_photo] if options.judge_photo else plan.file_columns
    try:
        appointed = judging.appoint(
            plan.prompt,
            columns,
            options.at_least,
            options.judge_pack,
            options.judge_recogniser,
            options.judge_same,
            folders=_face_folders(booted),
        )
    except MissingModel as error:
        raise WorldError(str(error)) from error

    def look(outcome: Outcome) -> Verdict:
        file = plan.files_of(outcome.job.key).get(appointed.column)
        if file is None:
            raise RowError(f"The row names no photo in {appointed.column} to judge by.")
        photo: Mapping[str, str] = {"path": file.path, "sha256": file.sha256}
        return appointed.judge(photo, outcome.pictures)

    return look


def _face_folders(booted: Booted) -> list[str]:
    """Where the host keeps face models: a kind of its own once this pack or another has registered it."""
    known = booted.folders.get("insightface")
    parents = dict.fromkeys(Path(folder).parent for kind in booted.folders.values() for folder in kind)
    return list(known) if known else [str(folder / "insightface") for folder in parents]


def _range(text: str) -> range:
    found = re.fullmatch(r"(\d+)([-+])(\d+)", text)
    first, last = (int(found[1]), int(found[3])) if found else (0, 0)
    if found and found[2] == "+":
        last += first - 1
    if not 1 <= first <= last:
        raise argparse.ArgumentTypeError(f"{text!r} is no range such as 1-100 or 1+100")
    return range(first, last + 1)
