"""Which code a row's pictures depend on."""

from __future__ import annotations

from proof.report import rows, sources


def names(row: str) -> set[str]:
    return {path.name for path in sources.of(row) if path.parent.name == "rows"}


def test_a_row_depends_on_its_own_module_and_on_those_that_it_takes_from() -> None:
    assert names("weight_04") == {"weights.py", "instantid.py", "row.py"}
    assert names("repair_five") == {"repair.py", "repairing.py", "instantid.py", "row.py"}
    assert names("sdxl") == {"trunks.py", "row.py"}


def test_every_row_depends_on_the_pack_the_networks_and_what_rows_share() -> None:
    for row in rows.rows():
        found = {path.relative_to(path.parents[2]).as_posix() for path in sources.of(row.name)}
        assert {"proof/report/cases.py", "proof/report/judging.py", "proof/report/studio.py"} <= found
        assert {"likeness/redraw/tries.py", "proof/networks/layouts.py"} <= found
        assert not {"proof/report/claims.py", "proof/report/write.py"} & found
