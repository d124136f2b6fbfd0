"""Jobs on clusters: real schedulers and workers, each a process of its own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job import cluster, preparation, scheduler
from cryoseg_ext.job.cluster import ClusterExecutor, cluster_executor
from cryoseg_ext.job.executor import WorkersGoneError
from tests.cryoseg_ext.job.clusters import Cluster, Listener

pytest.importorskip("distributed")
pytest.importorskip("dask_jobqueue")

HERE = Path(__file__).resolve()
FAKE_SBATCH = """#!/bin/sh
cp "$1" "$0.$$"
setsid sh "$0.$$" >"$0.$$.log" 2>&1 &
echo "Submitted batch job $!"
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[int], Cluster]]:
    """What starts a cluster."""
    started: list[Cluster] = []

    def start(workers: int) -> Cluster:
        started.append(Cluster(tmp_path, workers))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The scheduler file of a cluster of two workers."""
    made = Cluster(tmp_path_factory.mktemp("running"), 2)
    yield str(made.file)
    made.kill()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "LOOK_S", 0.1)


# Functions that travel as code, as the workers cannot import this file.
def _functions() -> tuple[Callable[..., Any], ...]:
    def number() -> int:
        return os.getpid()

    def work(state: int, item: int) -> tuple[int, int, int]:
        time.sleep(0.02)
        return item, state, os.getpid()

    def die(state: int, once: Path | None) -> str:
        if once is None or not once.exists():
            if once:
                once.touch()
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    def sleep(state: int, seconds: float) -> None:
        time.sleep(seconds)

    def need_package() -> None:
        raise ModuleNotFoundError("No module named 'none'")

    def need_int8() -> None:
        raise CryosegError("their processors cannot compute with int8: give --precision float32")

    return number, work, die, sleep, need_package, need_int8


NUMBER, WORK, DIE, SLEEP, NEED_PACKAGE, NEED_INT8 = _functions()


def _until(executor: ClusterExecutor, slots: int) -> None:
    end = time.monotonic() + 60
    while executor.slots() != slots and time.monotonic() < end:
        time.sleep(0.05)
    assert executor.slots() == slots


def test_calls_get_the_state_that_their_worker_has_made(running: str, tmp_path: Path) -> None:
    with (
        cluster_executor(running, 2, NUMBER, HERE, Listener(tmp_path)) as executor,
        cluster_executor(running, 2, lambda: "another job's", HERE, Listener(tmp_path)) as beside,
    ):
        _until(executor, 2)
        futures = [executor.submit(WORK, item) for item in range(20)]
        foreign = beside.submit(lambda state, item: f"{state} {item}", 1)
        results = [future.result(60) for future in futures]
        assert foreign.result(60) == "another job's 1"
    assert [item for item, _, _ in results] == list(range(20))
    assert all(state == process for _, state, process in results)
    assert len({process for _, _, process in results} - {os.getpid()}) == 2


def test_an_error_of_a_call_is_its_own(running: str, tmp_path: Path) -> None:
    def divide(state: int, number: int) -> float:
        return 1 / number

    with cluster_executor(running, 2, NUMBER, HERE, Listener(tmp_path)) as executor:
        futures = [executor.submit(divide, number) for number in (0, 1)]
        assert isinstance(futures[0].exception(60), ZeroDivisionError)
        assert futures[1].result(60) == 1


def test_a_call_whose_worker_dies_is_made_again_and_not_for_ever(running: str, tmp_path: Path) -> None:
    with cluster_executor(running, 2, NUMBER, HERE, Listener(tmp_path)) as executor:
        assert executor.submit(DIE, tmp_path / "died").result(60) == "done"
        bad, *good = executor.submit(DIE, None), *(executor.submit(WORK, item) for item in range(6))
        with pytest.raises(CryosegError, match="each of the 2 workers that tried it died"):
            bad.result(60)
        assert [future.result(60)[0] for future in good] == list(range(6))


@pytest.mark.parametrize(
    ("setup", "sentence"),
    [
        (NUMBER, "they do not see mic1.mrc: the job's folders must have the same paths there"),
        (NEED_INT8, "their processors cannot compute with int8: give"),
        (NEED_PACKAGE, "ModuleNotFoundError: No module named"),
    ],
)
def test_workers_that_cannot_work_are_named_with_the_reason(
    running: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setup: Callable[[], Any],
    sentence: str,
) -> None:
    # In the current folder of the workers there is no such file.
    monkeypatch.chdir(tmp_path)
    image = Path("mic1.mrc") if setup is NUMBER else HERE
    Path("mic1.mrc").touch()
    with (
        pytest.raises(CryosegError, match=f"^workers on .* cannot be used: {sentence}"),
        cluster_executor(running, 2, setup, image, Listener(tmp_path)),
    ):
        pass


def test_an_image_that_the_job_does_not_see_either_is_no_fault_of_the_workers(
    running: str, tmp_path: Path
) -> None:
    with cluster_executor(running, 2, NUMBER, tmp_path / "lost.mrc", Listener(tmp_path)) as executor:
        assert executor.submit(WORK, 1).result(60)[0] == 1


def test_workers_of_another_version_are_refused(
    running: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "_version", lambda _: "9.9.9")
    with (
        pytest.raises(CryosegError, match=r"their cryoseg is .* and that of the job 9\.9\.9"),
        cluster_executor(running, 2, NUMBER, HERE, Listener(tmp_path)),
    ):
        pass


def test_workers_of_another_python_are_refused(
    running: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_python", lambda: "3.99")
    with (
        pytest.raises(CryosegError, match=r"worker at tcp://.* runs Python .* and the job 3\.99"),
        cluster_executor(running, 2, NUMBER, HERE, Listener(tmp_path)),
    ):
        pass


def test_the_others_work_where_one_cannot(running: str, tmp_path: Path) -> None:
    def only_one() -> int:
        try:
            (tmp_path / "first").mkdir()
        except OSError:
            raise CryosegError("no more memory") from None
        return os.getpid()

    host = Listener(tmp_path)
    with cluster_executor(running, 2, only_one, HERE, host) as executor:
        futures = [executor.submit(WORK, item) for item in range(6)]
        assert len({future.result(60)[1] for future in futures}) == 1
        while not host.warnings:
            host.check()
            assert executor.slots() == 1
    assert [text.partition(": ")[2] for text in host.warnings] == ["no more memory"]


def test_a_worker_that_joins_later_is_prepared_too(
    small: Callable[[int], Cluster], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PATIENCE_S", 0.2)
    late = small(0)

    class Starter(Listener):
        def warn(self, text: str) -> None:
            super().warn(text)
            late.add(1)

    host = Starter(tmp_path)
    with cluster_executor(str(late.file), 1, NUMBER, HERE, host) as executor:
        late.add(1)
        _until(executor, 2)
        assert executor.submit(WORK, 1).result(60)[0] == 1
    assert host.warnings == [
        "no worker of the cluster is ready: waiting for one (start workers, or abort the job)"
    ]


def test_the_wait_for_a_worker_can_be_ended(
    small: Callable[[int], Cluster], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    empty = small(0)
    with (
        pytest.raises(KeyboardInterrupt),
        cluster_executor(str(empty.file), 1, NUMBER, HERE, Listener(tmp_path, 0.2)),
    ):
        pass
    assert capfd.readouterr() == ("", "")


def test_a_scheduler_that_goes_away_ends_the_job(
    small: Callable[[int], Cluster],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    dying = small(1)
    monkeypatch.setattr(scheduler, "CLOSE_S", 0.5)
    with cluster_executor(str(dying.file), 1, NUMBER, HERE, Listener(tmp_path)) as executor:
        assert executor.submit(WORK, 1).result(60)[0] == 1
        future = executor.submit(SLEEP, 60)
        dying.kill_scheduler()
        assert isinstance(future.exception(60), WorkersGoneError)
        for attempt in (executor.report, executor.slots, executor.submit(WORK, 2).result):
            with pytest.raises(WorkersGoneError, match="run the job again when the scheduler is back"):
                attempt()
    assert capfd.readouterr() == ("", "")


def test_an_aborted_job_leaves_quietly_what_it_has_not_finished(
    running: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    start, host = time.monotonic(), Listener(tmp_path, 0.5)

    def work_until_abort() -> None:
        with cluster_executor(running, 2, NUMBER, HERE, host) as executor:
            futures = [executor.submit(SLEEP, 1) for _ in range(20)]
            while not all(future.done() for future in futures):
                host.check()

    with pytest.raises(KeyboardInterrupt):
        work_until_abort()
    with cluster_executor(running, 2, NUMBER, HERE, Listener(tmp_path)) as executor:
        assert executor.submit(WORK, 3).result(60)[0] == 3
    assert time.monotonic() - start < 15
    assert capfd.readouterr() == ("", "")


def test_the_jobs_of_a_queue_work_and_one_that_ends_is_submitted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("sbatch", FAKE_SBATCH), ("scancel", '#!/bin/sh\nkill -- "-$1"\n')):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(cluster, "RESUBMIT_S", 0.5)
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "0.1s"}),
        cluster_executor("slurm", 2, NUMBER, HERE, Listener(tmp_path)) as executor,
    ):
        _until(executor, 2)
        _, _, process = executor.submit(WORK, 1).result(60)
        os.killpg(os.getpgid(process), signal.SIGKILL)
        _until(executor, 1)
        _until(executor, 2)
        assert executor.submit(WORK, 2).result(60)[0] == 2
    assert (tmp_path / "cluster").is_dir()
