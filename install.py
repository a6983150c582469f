"""Sets Likeness up. Without arguments it only says what is there and what is missing.

python install.py --demo              one person drawn again in a real ComfyUI, on any machine
python install.py --demo METHOD       the same by another method: arc2face, pva, freecure ...
python install.py --test              every check and test
python install.py --test --host oldest   the tests on another ComfyUI: pinned, newest, 0.27.0 ...
python install.py --models instantid  fetch a method's weights (several: a,b)
python install.py --list              which model files are there, which are missing
python install.py --check             are those that are there whole?
python install.py --comfyui DIR       put a ComfyUI into DIR and the pack into it
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if sys.version_info < (3, 10):  # noqa: UP036  (the point is to tell those who run an older one)
    sys.exit("Likeness needs Python 3.10 or newer; this is " + sys.version.split()[0] + ".")

from installer import checks, comfyui, demo, models, stages, tiny
from installer.checking import check_models
from installer.folders import folders_in_use, models_folder
from installer.output import Progress, SetupError, no_room
from installer.paths import REPOSITORY, is_comfyui, link_folder, same_folder
from installer.report import packages, report


def main() -> int:
    arguments = _arguments()
    progress = Progress()
    chosen: Path | None = arguments.comfyui.expanduser().resolve() if arguments.comfyui else None
    try:
        if arguments.write_models_readme:
            (REPOSITORY / "models" / "README.md").write_text(models.readme(), encoding="utf-8", newline="\n")
            return 0
        if chosen is not None and not is_comfyui(chosen):
            comfyui.get_comfyui(chosen, sys.executable, progress, git_first=True)
        if not _anything_else(arguments):
            _only_report(chosen)
            return 0
        return _do(arguments, chosen, progress)
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except OSError as error:
        told = no_room(error)
        if not told:
            raise
        print(f"\n{told}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. What was fetched is kept; the same command goes on from there.", file=sys.stderr)
        return 130


def _do(arguments: argparse.Namespace, chosen: Path | None, progress: Progress) -> int:
    _refuse_what_does_not_go_together(arguments)
    more = [file.expanduser() for file in arguments.extra_model_paths_config]
    if arguments.models:
        folders = folders_in_use(chosen, more, arguments.into)
        names = [name.strip() for name in arguments.models.split(",") if name.strip()]
        models.fetch_models(folders, names, progress)
        progress.say(f"Everything {', '.join(names)} needs is there.")
    if arguments.list:
        print(models.table(folders_in_use(chosen, more)))
    if arguments.check:
        print("\n".join(packages()))
        if not check_models(folders_in_use(chosen, more)):
            return 1
    if (arguments.demo is not None or arguments.test) and not tiny.PACK.is_dir():
        raise SetupError(
            "This copy comes without tests/, which --demo and --test need: clone the repository."
        )
    if arguments.demo is not None:
        demo.demo(progress, chosen, models_folder(chosen), arguments.fresh, arguments.demo)
    if arguments.test:
        # --demo --fresh --test has made its fresh environment already
        fresh = arguments.fresh and arguments.demo is None
        choice = stages.Choice(arguments.host, chosen, arguments.frontend, arguments.k, arguments.browser)
        return 0 if checks.run_checks(progress, choice, fresh) else 1
    return 0


def _refuse_what_does_not_go_together(arguments: argparse.Namespace) -> None:
    if arguments.host and arguments.comfyui:
        raise SetupError("--host and --comfyui both name a ComfyUI: leave one of them out.")
    if (arguments.host or arguments.frontend) and not arguments.test:
        raise SetupError("--host and --frontend say what --test runs on: add --test.")
    if arguments.frontend and not arguments.browser:
        raise SetupError("--frontend runs the browser tests, and --no-browser leaves them out: drop one.")


def _anything_else(arguments: argparse.Namespace) -> bool:
    wanted = [arguments.models, arguments.list, arguments.check, arguments.test]
    wanted += [arguments.host, arguments.frontend]
    return any(wanted) or arguments.demo is not None


def _only_report(chosen: Path | None) -> None:
    if chosen is None:
        print(report())
        return
    link = chosen / "custom_nodes" / "likeness"
    if not any(same_folder(folder, REPOSITORY) for folder in link.parent.glob("*")):
        link_folder(REPOSITORY, link)
    print(
        f"ComfyUI is in {chosen}, with this pack in its custom_nodes. Next, with the Python you want for it:"
    )
    ours, its = comfyui.quoted(REPOSITORY / "requirements.txt"), comfyui.quoted(comfyui.requirements(chosen))
    print(f"  pip install -r {its} -r {ours}")
    print(f"  python install.py --comfyui {comfyui.quoted(chosen)} --models embedded,instantid")
    print(f"  {comfyui.start_command(chosen)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--demo",
        nargs="?",
        const="",
        metavar="METHOD",
        help="run the demo, of InstantID unless another method is named; the results are in demo/",
    )
    parser.add_argument("--test", action="store_true", help="run every check and test")
    parser.add_argument(
        "-k", default="", metavar="EXPRESSION", help="with --test: only tests with names like this"
    )
    parser.add_argument(
        "--host",
        default="",
        metavar="WHICH",
        help="with --test: run the tests on this ComfyUI: oldest, pinned, newest or a version; "
        "without it on the pinned one, and a part of them on the oldest",
    )
    parser.add_argument(
        "--frontend",
        default="",
        metavar="VERSION",
        help="with --test: run the browser tests in this version of ComfyUI's page, or in the newest",
    )
    parser.add_argument(
        "--no-browser",
        dest="browser",
        action="store_false",
        help="with --test: without the tests that need a Chromium (root gets one on Debian by itself)",
    )
    parser.add_argument(
        "--models", metavar="NAMES", help="fetch the weights of these methods, comma between them"
    )
    parser.add_argument(
        "--into",
        metavar="SECTION",
        help="with --models: the section of extra_model_paths.yaml whose folders take the files",
    )
    parser.add_argument(
        "--extra-model-paths-config",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="more files like extra_model_paths.yaml; ComfyUI has the same option",
    )
    parser.add_argument("--list", action="store_true", help="show which model files are there, by method")
    parser.add_argument(
        "--check", action="store_true", help="compare the files that are there with their sums"
    )
    parser.add_argument(
        "--comfyui", type=Path, metavar="DIR", help="the ComfyUI to use; made when there is none"
    )
    parser.add_argument("--fresh", action="store_true", help="with --demo or --test: a new environment")
    parser.add_argument(
        "--write-models-readme", action="store_true", help="for developers: write models/README.md"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
