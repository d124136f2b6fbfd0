"""Columns of numbers that hold something else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cryoseg_ext.formats.star import numbers

MANY = "7" * 5000


@pytest.mark.parametrize("other", ["2", "x", "", "1e400", "nan", MANY, f"-{MANY}"])
@pytest.mark.parametrize("kind", [str, object])
def test_what_is_no_number_is_nan(other: str, kind: type) -> None:
    found = numbers(pd.Series(["1", other, MANY, "3.5"], dtype=kind)).to_numpy()
    assert found[[0, 3]].tolist() == [1.0, 3.5]
    assert not np.isfinite(found[2])


@pytest.mark.parametrize("values", [[1, 10**400], [10**400, 2.5, "x"], [MANY, 7], [10**20, 10**400]])
def test_integers_beyond_all_numbers_are_nan_whatever_stands_beside_them(values: list[object]) -> None:
    found = numbers(pd.Series(values, dtype=object)).to_numpy()
    assert not np.isfinite(found[np.array([len(str(value)) > 300 for value in values])]).any()
