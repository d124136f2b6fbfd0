"""Reading of large files: how far it is, and nothing that is copied again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoseg_ext.formats.lines import line_of, problems_of, text_lines
from cryoseg_ext.formats.star_reading import read_tables
from cryoseg_ext.progress import showing
from tests.told import Told


def test_a_large_text_is_told_of_megabyte_by_megabyte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryoseg_ext.progress.SHORT_S", 0.0)
    path = tmp_path / "picks.csv"
    path.write_text("1.25,2.25\n" * 350_000)
    with showing(told := Told()):
        assert sum(1 for _ in text_lines(path)) == 350_000
    assert told.steps("Reading picks.csv, MB") == [1, 2, 3]
    with showing(told := Told()):
        next(text_lines(path))
    assert told.calls == []


def test_what_is_noted_of_rows_is_not_copied_with_each_column(tmp_path: Path) -> None:
    path = tmp_path / "picks.star"
    path.write_text("data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1 2\n3\n5 6\n")
    (table,) = read_tables(path).values()
    column = table["rlnCoordinateX"]
    assert line_of(table, 1) == 8
    assert len(problems_of(table)) == 1
    assert column.attrs == table.attrs
    assert all(kept is table.attrs[name] for name, kept in column.attrs.items())
