"""A cluster that a job cannot have is refused in a sentence."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from threading import Thread

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job import scheduler
from cryoseg_ext.job.cluster import cluster_executor
from tests.cryoseg_ext.job.clusters import Listener

pytest.importorskip("distributed")
pytest.importorskip("dask_jobqueue")

HERE = Path(__file__).resolve()


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("tcp://127.0.0.1:9", "--cluster tcp://127.0.0.1:9: no dask scheduler answers there"),
        ("nowhere.json", "nowhere.json is no scheduler file of dask"),
        ("slrum", "--cluster slrum: give the address of a dask scheduler"),
        ("slurm-none", "--cluster slurm-none: .* has no configuration of this name"),
        ("slurm", "--cluster slurm: .*sbatch.*run the job where jobs can be submitted"),
    ],
)
def test_a_cluster_that_is_not_there_is_a_sentence(
    where: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "CONNECT_S", 0.5)
    monkeypatch.setenv("PATH", "/nowhere")
    with (
        pytest.raises(CryosegError, match=sentence),
        cluster_executor(where, 1, os.getpid, HERE, Listener(tmp_path)),
    ):
        pass


def test_another_server_is_no_scheduler(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(
            target=lambda: server.accept()[0].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), daemon=True
        ).start()
        with (
            pytest.raises(CryosegError, match="no dask scheduler answers there"),
            cluster_executor(
                f"tcp://127.0.0.1:{server.getsockname()[1]}", 1, os.getpid, HERE, Listener(tmp_path)
            ),
        ):
            pass
    assert capfd.readouterr() == ("", "")


def test_a_refused_job_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with (
        pytest.raises(CryosegError, match="--cluster slurm: sbatch: error: invalid partition: correct"),
        cluster_executor("slurm", 2, os.getpid, HERE, Listener(tmp_path)),
    ):
        pass


def test_a_missing_package_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("dask_jobqueue", "distributed"):
        monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(CryosegError, match="pip install dask-jobqueue distributed"),
        cluster_executor("tcp://127.0.0.1:9", 1, os.getpid, HERE, Listener(tmp_path)),
    ):
        pass
