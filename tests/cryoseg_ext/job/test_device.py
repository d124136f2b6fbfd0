from __future__ import annotations

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job.device import choose_device
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize

SIZE = ParticleSize(100.0)


@pytest.mark.parametrize(
    ("gpu", "n_gpus", "device", "warning"),
    [
        ("", 2, "cuda:0", ""),
        ("1", 2, "cuda:1", ""),
        ("1:0", 2, "cuda:1", "one GPU is used, number 1"),
        ("1,0", 1, "cuda:0", "there are 1 GPUs, numbered from 0: using number 0"),
        ("2", 2, "cuda:0", "there are 2 GPUs, numbered from 0: using number 0"),
        ("0", 0, "cpu", "PyTorch finds no GPU here"),
    ],
)
def test_a_gpu_is_the_one_that_is_meant_or_costs_no_more_than_time(
    monkeypatch: pytest.MonkeyPatch, gpu: str, n_gpus: int, device: str, warning: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: n_gpus > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: n_gpus)
    warned: list[str] = []
    assert choose_device(JobOptions(SIZE, gpu=gpu), warned.append) == device
    assert warning in " ".join(warned)
    assert bool(warned) == bool(warning)


def test_a_device_of_torch_must_be_there() -> None:
    assert choose_device(JobOptions(SIZE), lambda _: None) == "cpu"
    assert choose_device(JobOptions(SIZE, device="meta"), lambda _: None) == "meta"
    for device in ("cuda:99", "abacus"):
        with pytest.raises(CryosegError, match=f"--device {device}: PyTorch finds no such device here"):
            choose_device(JobOptions(SIZE, device=device), lambda _: None)
