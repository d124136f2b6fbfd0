"""Workers in processes that die, cannot start, or are stopped."""

from __future__ import annotations

import importlib
import os
import time
from concurrent.futures import wait
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job.executor import WorkersGoneError
from cryoseg_ext.job.pool import ProcessPool


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what workers can do."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("pool_calls")


def test_calls_are_answered_by_other_processes_with_their_state(calls: Any) -> None:
    with ProcessPool([partial(calls.state, "a"), partial(calls.state, "b")], 2, pytest.fail) as pool:
        assert pool.slots() == 2
        answers = [pool.submit(calls.answer, number).result() for number in range(6)]
        with pytest.raises(ValueError, match="wrong"):
            pool.submit(calls.be_wrong).result()
    assert [number for _, number, _ in answers] == list(range(6))
    assert {state for state, *_ in answers} <= {"a", "b"}
    assert os.getpid() not in {process for *_, process in answers}


def test_a_worker_whose_call_goes_wrong_answers_the_next(calls: Any) -> None:
    with ProcessPool([calls.state], 1, pytest.fail) as pool:
        wrong, right = pool.submit(calls.be_wrong), pool.submit(calls.answer, 3)
        assert isinstance(wrong.exception(), ValueError)
        assert right.result()[1] == 3


def test_a_call_whose_worker_dies_is_made_once_more(calls: Any, tmp_path: Path) -> None:
    with ProcessPool([calls.state], 2, pytest.fail) as pool:
        made = [
            pool.submit(calls.die, tmp_path / "marker"),
            *(pool.submit(calls.answer, n) for n in range(4)),
        ]
        assert made[0].result() == 7
        assert [call.result()[1] for call in made[1:]] == list(range(4))


def test_a_call_that_kills_two_workers_is_given_up_and_the_others_are_not(calls: Any) -> None:
    with ProcessPool([calls.state], 2, pytest.fail) as pool:
        deadly, *others = [pool.submit(calls.die), *(pool.submit(calls.answer, n) for n in range(4))]
        with pytest.raises(CryosegError, match=r"was killed \(out of memory\?\), two times") as error:
            deadly.result()
        assert not isinstance(error.value, WorkersGoneError)
        assert [call.result()[1] for call in others] == list(range(4))


def test_workers_that_cannot_start_are_told_and_the_others_go_on(calls: Any, tmp_path: Path) -> None:
    warned: list[str] = []
    with ProcessPool([partial(calls.fail, tmp_path / "marker")], 3, warned.append) as pool:
        made = [pool.submit(calls.sleep, 0.05) for _ in range(12)]
        wait(made)
        assert all(call.exception() is None for call in made)
        pool.report()
    assert all("a worker cannot start (the GPU is full): going on with" in text for text in warned)
    assert len(warned) == 2


def test_the_job_ends_when_no_worker_can_start(calls: Any) -> None:
    with ProcessPool([calls.fail], 2, lambda _: None) as pool:
        for call in [pool.submit(calls.answer, n) for n in range(3)]:
            with pytest.raises(WorkersGoneError, match="the GPU is full"):
                call.result()


def test_a_job_that_ends_does_not_wait_for_its_workers(calls: Any) -> None:
    start = time.monotonic()
    with ProcessPool([calls.state], 2, pytest.fail) as pool:
        made = [pool.submit(calls.sleep, 60.0) for _ in range(5)]
        pool.submit(calls.answer, 0)
        time.sleep(0.1)
    assert time.monotonic() - start < 30
    assert all(call.done() for call in made)
