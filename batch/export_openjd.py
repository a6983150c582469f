"""An Open Job Description bundle: a job template that any farm manager of that standard takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .export import Farm

TEMPLATE, PARAMETERS = "template.json", "parameters.json"


def write(farm: Farm, folder: Path) -> str:
    """The bundle, and what to do with it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    template, values = folder / TEMPLATE, folder / PARAMETERS
    for path, content in ((template, job_template(farm)), (values, parameters(farm))):
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    values_of = f"file://{values.resolve()}"
    return f"Try it here: openjd run {template} -p {values_of} --step Merge --run-dependencies"


def parameters(farm: Farm) -> dict[str, str]:
    """Where folders and files are here. Not the template's defaults: those may not lead out of the bundle."""
    return {
        "Python": farm.python,
        "Pack": str(farm.pack),
        "Workflow": str(farm.workflow),
        "Table": str(farm.table),
        "Out": str(farm.out),
    }


def job_template(farm: Farm) -> dict[str, Any]:
    """The job template (specification 2023-09): a step that draws, a task per range, and one that merges.

    Folders and files are parameters, so that a farm can map them to where its machines see them.
    """
    words = farm.arguments(
        "{{Param.Workflow}}", "{{Param.Table}}", "{{Param.Out}}", "{{Task.Param.First}}", "{{Param.PerTask}}"
    )
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "name": farm.name[:128],
        "parameterDefinitions": [
            {"name": "Python", "type": "STRING", "description": "Python that has ComfyUI's packages."},
            _path("Pack", "DIRECTORY", "NONE", "This pack, with batch/ in it."),
            _path("Workflow", "FILE", "IN", "The workflow in API form."),
            _path("Table", "DIRECTORY" if farm.table.is_dir() else "FILE", "IN", "The rows."),
            _path("Out", "DIRECTORY", "OUT", "Where ranges, and the merged batch, are put."),
            {"name": "PerTask", "type": "INT", "default": farm.per_task, "minValue": 1},
        ],
        "steps": [
            {
                "name": "Draw",
                "parameterSpace": {
                    "taskParameterDefinitions": [
                        {"name": "First", "type": "INT", "range": f"1-{farm.rows}:{farm.per_task}"}
                    ]
                },
                **_script(words),
            },
            {
                "name": "Merge",
                "dependencies": [{"dependsOn": "Draw"}],
                **_script(["-m", "batch", "merge", "{{Param.Out}}"]),
            },
        ],
    }


def _script(words: list[str]) -> dict[str, Any]:
    """A step's command, with the pack where Python looks for modules."""
    return {
        "stepEnvironments": [{"name": "Pack", "variables": {"PYTHONPATH": "{{Param.Pack}}"}}],
        "script": {"actions": {"onRun": {"command": "{{Param.Python}}", "args": words}}},
    }


def _path(name: str, kind: str, flow: str, what: str) -> dict[str, Any]:
    return {"name": name, "type": "PATH", "objectType": kind, "dataFlow": flow, "description": what}
