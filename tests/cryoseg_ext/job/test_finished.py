from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cryoseg_ext.image.areas import AreaShares
from cryoseg_ext.job.finished import (
    FinishedMicrograph,
    Results,
    as_stored,
    read_finished,
    settings_key,
    write_finished,
)
from cryoseg_ext.options.crf import CrfOptions
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks

AREAS = AreaShares(contaminated=0.2, film=0.1234, dead=0.08)
OPTIONS = PickingOptions(180.0, ExtractionOptions(), CrfOptions())
SETTINGS: dict[str, Any] = {"options": OPTIONS, "digest": "abc", "pixel_size_A": 1.5}


COLUMNS = st.integers(0, 20).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=st.floats(-50, 9000)),
        arrays(np.float64, n, elements=st.floats(-50, 9000)),
        arrays(np.float64, n, elements=st.floats(0, 1)),
        st.none() | arrays(np.float64, n, elements=st.floats(1, 5000)),
        st.none() | arrays(np.float64, n, elements=st.floats(-180, 180) | st.just(np.nan)),
        st.none() | arrays(np.float64, n, elements=st.integers(1, 99).map(float)),
    )
)


@given(COLUMNS)
def test_a_stored_result_reads_back(
    tmp_path_factory: pytest.TempPathFactory, columns: tuple[Any, ...]
) -> None:
    path = tmp_path_factory.mktemp("job") / "Movies/a_candidates.star"
    candidates = as_stored(Picks(*columns))
    finished = FinishedMicrograph("key", 0.31, candidates, AREAS, (3838, 3710), 1.0885)
    write_finished(path, finished)
    back = read_finished(path)
    assert back is not None
    assert replace(back, candidates=candidates) == finished
    assert back.candidates.columns().keys() == candidates.columns().keys()
    for name, column in candidates.columns().items():
        np.testing.assert_array_equal(back.candidates.columns()[name], column)


@pytest.mark.parametrize("most_in_memory", [1, 1 << 20])
@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 9), st.booleans()), max_size=8))
def test_results_are_a_dictionary_in_memory_and_in_a_file(
    most_in_memory: int, added: list[tuple[str, int, bool]]
) -> None:
    rng, results, expected = np.random.default_rng(0), Results(most_in_memory), {}
    for name, n, has_axis in added:
        x_px, y_px, score = rng.uniform(size=(3, n))
        candidates = Picks(x_px, y_px, score, psi_deg=np.full(n, np.nan) if has_axis else None)
        results[name] = expected[name] = FinishedMicrograph(name, 0.3, candidates, AREAS, (9, n), 1.5)
    assert list(results) == list(expected)
    for some in (results, results.of(list(expected)[::-1])):
        assert some.keys() == expected.keys()
        for name, finished in some.items():
            columns = expected[name].candidates.columns()
            assert replace(finished, candidates=expected[name].candidates) == expected[name]
            assert finished.candidates.columns().keys() == columns.keys()
            for column, values in columns.items():
                np.testing.assert_array_equal(finished.candidates.columns()[column], values)


def test_the_key_is_that_of_earlier_versions_of_the_code() -> None:
    for options in (OPTIONS, replace(OPTIONS, crf=None, invert=True)):
        for size_A in (1.5, None):
            text: dict[str, Any] = {"version": version("cryoseg"), "options": asdict(options)}
            text |= {"model": 'a"b', "pixel_size_A": size_A}
            key = hashlib.sha256(json.dumps(text, sort_keys=True).encode()).hexdigest()[:16]
            assert settings_key(options, digest='a"b', pixel_size_A=size_A) == key


@pytest.mark.parametrize("content", [None, "", "data_\n\nloop_\n_rlnCoordinateX #1\n1\n"])
def test_what_is_no_stored_result_counts_as_unfinished(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "a_candidates.star"
    if content is not None:
        path.write_text(content)
    assert read_finished(path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"options": replace(OPTIONS, particle_diameter_A=181.0)},
        {"options": replace(OPTIONS, extraction=ExtractionOptions(min_distance_A=90.0))},
        {"options": replace(OPTIONS, extraction=ExtractionOptions("watershed"))},
        {"options": replace(OPTIONS, crf=None)},
        {"options": replace(OPTIONS, invert=True)},
        {"options": replace(OPTIONS, crf=CrfOptions(iterations=1))},
        {"digest": "abd"},
        {"pixel_size_A": 1.51},
    ],
    ids=str,
)
def test_the_key_changes_with_everything_that_changes_candidates(change: dict[str, Any]) -> None:
    assert settings_key(**SETTINGS) == settings_key(**SETTINGS)
    assert settings_key(**(SETTINGS | change)) != settings_key(**SETTINGS)
