"""Checks of what GitHub reads: workflows, forms, hooks, citation. The checks run it as a stage."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from .output import Progress, SetupError
from .paths import REPOSITORY
from .programs import ensure_programs, run_program

#: Which schema of check-jsonschema holds for which files.
SCHEMAS = {
    "vendor.github-workflows": ".github/workflows/*.yml",
    "custom.github-workflows-require-timeout": ".github/workflows/*.yml",
    "vendor.github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
    "vendor.github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "vendor.dependabot": ".github/dependabot.yml",
    "vendor.citation-file-format": "CITATION.cff",
}
SCRIPTS = (".ci/run", "workflows/examples/curl.sh")


def looks(root: Path = REPOSITORY) -> Iterator[tuple[str, list[str | Path]]]:
    """(program, its arguments) of each check."""
    workflows = sorted((root / ".github" / "workflows").glob("*.yml"))
    yield "actionlint", ["-no-color", *workflows]
    yield "zizmor", ["--offline", "--no-progress", "--quiet", "--persona=regular", root / ".github"]
    for schema, pattern in SCHEMAS.items():
        files = sorted(root.glob(pattern))
        if not files:
            raise SetupError(f"There is no {pattern}.")
        extra = ["--default-filetype", "yaml"] if pattern.endswith(".cff") else []
        yield "check-jsonschema", ["--builtin-schema", schema, *extra, *files]
    yield "pre-commit", ["validate-config", root / ".pre-commit-config.yaml"]
    yield "shellcheck", [root / name for name in SCRIPTS]


def check(root: Path = REPOSITORY, only: str = "") -> list[str]:
    """What the programs, or one, find fault with, a text each; empty when all is well. Raises SetupError."""
    programs, faults = ensure_programs(Progress()), []
    for program, arguments in looks(root):
        if only not in ("", program):
            continue
        status, said = run_program(programs, program, *arguments, cwd=root)
        if status:
            faults.append(f"{program}:\n{said}")
    return faults


def main() -> int:
    try:
        faults = check()
    except SetupError as error:
        faults = [str(error)]
    print("\n\n".join(faults) or "Workflows, forms, hooks and citation are sound.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
