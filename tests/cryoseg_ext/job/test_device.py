from __future__ import annotations

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job.device import choose_devices
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
