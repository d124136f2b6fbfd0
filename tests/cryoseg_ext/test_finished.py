from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cryoseg_ext.crf import CrfOptions
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.finished import (
    FinishedMicrograph,
    as_stored,
    model_digest,
    read_finished,
    settings_key,
    write_finished,
)
from cryoseg_ext.picks import Picks

SETTINGS: dict[str, Any] = {
    "particle_diameter_A": 180.0,
    "min_distance_A": None,
    "crf": CrfOptions(),
    "digest": "abc",
    "pixel_size_A": 1.5,
    "invert": False,
}


@given(
    st.integers(0, 20).flatmap(
        lambda n: st.tuples(
            arrays(np.float64, n, elements=st.floats(-50, 9000)),
            arrays(np.float64, n, elements=st.floats(-50, 9000)),
            arrays(np.float64, n, elements=st.floats(0, 1)),
        )
    )
)
def test_a_stored_result_reads_back(
    tmp_path_factory: pytest.TempPathFactory, columns: tuple[Any, Any, Any]
) -> None:
    path = tmp_path_factory.mktemp("job") / "Movies/a_candidates.star"
    candidates = as_stored(Picks(*columns))
    write_finished(path, FinishedMicrograph("key", 0.31, candidates))
    back = read_finished(path)
    assert back is not None
    assert (back.settings, back.default_threshold) == ("key", 0.31)
    for field in ("x_px", "y_px", "score"):
        np.testing.assert_array_equal(getattr(back.candidates, field), getattr(candidates, field))


@pytest.mark.parametrize("content", [None, "", "data_\n\nloop_\n_rlnCoordinateX #1\n1\n"])
def test_what_is_no_stored_result_counts_as_unfinished(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "a_candidates.star"
    if content is not None:
        path.write_text(content)
    assert read_finished(path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"particle_diameter_A": 181.0},
        {"min_distance_A": 90.0},
        {"crf": None},
        {"crf": CrfOptions(iterations=1)},
        {"digest": "abd"},
        {"pixel_size_A": 1.51},
        {"invert": True},
    ],
    ids=str,
)
def test_the_key_changes_with_everything_that_changes_candidates(change: dict[str, Any]) -> None:
    assert settings_key(**SETTINGS) == settings_key(**SETTINGS)
    assert settings_key(**(SETTINGS | change)) != settings_key(**SETTINGS)


def test_a_missing_model_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CryosegError, match=r"nothing\.safetensors"):
        model_digest(tmp_path / "nothing.safetensors")
