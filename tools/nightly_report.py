"""Says in an issue that last night's tests on ComfyUI's master failed; nights after that comment on it.

python -m tools.nightly_report LOG --host DIR --run URL     with gh on the path and its GH_TOKEN
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

LABEL = "nightly"
TITLE = "Tests fail on ComfyUI's master"
#: GitHub takes 65,536 characters of a body.
_LONGEST = 40_000
_FAILED = re.compile(r"^(?:FAILED|ERROR) \S+.*$", re.MULTILINE)


def body(log: str, commit: str, run: str) -> str:
    """The report: which ComfyUI, which tests, the last lines."""
    failed = _FAILED.findall(log)
    listed = "\n".join(failed[:50]) or "No test is named as failed: the run ended before."
    if len(failed) > 50:
        listed += f"\n... and {len(failed) - 50} more"
    last = "\n".join(log.splitlines()[-60:])
    fence = "`" * 4
    text = f"ComfyUI {commit}. [The run]({run})\n\n{fence}text\n{listed}\n{fence}\n\n"
    rest = _LONGEST - len(text) - 100
    return text[:_LONGEST] + f"Its last lines:\n\n{fence}text\n{last[-rest:] if rest > 0 else ''}\n{fence}\n"


def commit_of(host: Path) -> str:
    done = subprocess.run(
        ["git", "log", "-1", "--format=%h of %cs"], cwd=host, capture_output=True, encoding="utf-8"
    )
    return done.stdout.strip() or "of an unknown commit"


def gh(*arguments: str, text: str = "") -> str:
    """What the program says. Raises RuntimeError with what it complains about."""
    done = subprocess.run(["gh", *arguments], input=text, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"gh {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


def report(text: str) -> str:
    """Open the issue, or comment on the one that is open; returns its address."""
    gh("label", "create", LABEL, "--description", "Of the nightly tests on ComfyUI's master", "--force")
    listed = json.loads(gh("issue", "list", "--label", LABEL, "--state", "open", "--json", "number,title"))
    for issue in listed:
        if issue["title"] == TITLE:
            return gh("issue", "comment", str(issue["number"]), "--body-file", "-", text=text).strip()
    return gh("issue", "create", "--title", TITLE, "--label", LABEL, "--body-file", "-", text=text).strip()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Report a failed night in an issue.")
    parser.add_argument("log", type=Path)
    parser.add_argument("--host", type=Path, required=True)
    parser.add_argument("--run", required=True)
    chosen = parser.parse_args(arguments)
    log = chosen.log.read_text(encoding="utf-8", errors="replace") if chosen.log.is_file() else ""
    try:
        print(report(body(log, commit_of(chosen.host), chosen.run)))
    except (RuntimeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
