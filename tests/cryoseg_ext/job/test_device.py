from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import ListedMicrograph
from cryoseg_ext.job import workers
from cryoseg_ext.job.device import choose_devices
from cryoseg_ext.model.file import ModelFile
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize

SIZE = ParticleSize(100.0)


@pytest.mark.parametrize(
    ("gpu", "n_gpus", "devices", "warning"),
    [
        ("", 2, ["cuda:0", "cuda:1"], ""),
        ("1", 2, ["cuda:1"], ""),
        ("1:0", 2, ["cuda:1", "cuda:0"], ""),
        ("0,1:1", 2, ["cuda:0", "cuda:1"], ""),
        ("1,0", 1, ["cuda:0"], "there is 1 GPU, numbered from 0: using 0"),
        ("2", 2, ["cuda:0"], "there are 2 GPUs, numbered from 0: using 0"),
        ("0", 0, ["cpu"], "PyTorch finds no GPU here"),
    ],
)
def test_gpus_are_those_that_are_meant_or_cost_no_more_than_time(
    monkeypatch: pytest.MonkeyPatch, gpu: str, n_gpus: int, devices: list[str], warning: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: n_gpus > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: n_gpus)
    warned: list[str] = []
    assert choose_devices(JobOptions(SIZE, gpu=gpu), warned.append) == devices
    assert warning in " ".join(warned)
    assert bool(warned) == bool(warning)


def test_a_device_of_torch_must_be_there() -> None:
    assert choose_devices(JobOptions(SIZE), lambda _: None) == ["cpu"]
    assert choose_devices(JobOptions(SIZE, device="meta"), lambda _: None) == ["meta"]
    for device in ("cuda:99", "abacus"):
        with pytest.raises(CryosegError, match=f"--device {device}: PyTorch finds no such device here"):
            choose_devices(JobOptions(SIZE, device=device), lambda _: None)


@pytest.mark.parametrize(
    ("more", "n_gpus", "cores", "expected"),
    [
        ({}, 0, 4, (["cpu"], 1)),
        ({"workers": 3}, 0, 4, (["cpu"], 3)),
        ({"workers": 30}, 0, 4, (["cpu"], 4)),
        ({"gpu": ""}, 2, 16, (["cuda:0", "cuda:1"], 8)),
        ({"gpu": ""}, 2, 4, (["cuda:0", "cuda:1"], 4)),
        ({"gpu": "1", "workers": 2}, 2, 4, (["cuda:1"], 2)),
        ({"gpu": ""}, 0, 4, (["cpu"], 1)),
    ],
)
def test_there_are_as_many_workers_as_are_wanted_or_feed_the_gpus(
    monkeypatch: pytest.MonkeyPatch,
    more: dict[str, Any],
    n_gpus: int,
    cores: int,
    expected: tuple[list[str], int],
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: n_gpus > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: n_gpus)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr("cryoseg_ext.processes.free_bytes", lambda: None)
    micrographs = [ListedMicrograph(f"{number}.mrc", Path(f"{number}.mrc")) for number in range(20)]
    assert workers._workers(JobOptions(SIZE, **more), micrographs, lambda _: None) == expected
    one = workers._workers(JobOptions(SIZE, **more), micrographs[:1], lambda _: None)
    assert one == (expected[0], 1)


def test_a_machine_without_the_numbers_of_the_job_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert workers.load_remote(ModelFile(), "cpu", "float32").precision == "float32"
    monkeypatch.setattr("cryoseg_ext.model.backend._capabilities", set)
    assert workers.load_remote(ModelFile(), "cpu", "float32").precision == "float32"
    with pytest.raises(CryosegError, match="their processor or GPU has no instructions for int8"):
        workers.load_remote(ModelFile(), "cpu", "int8")
