"""Batches from worker processes, and what is said when one of them ends or a signal ends them all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.training.loading import load_batches

ROOT = Path(__file__).parents[3]
TRAINING = """
import time
import click
import torch
from cryoseg_ext.cli.main import LazyGroup
from cryoseg_ext.cli.stopping import stoppable
from cryoseg_ext.training.loading import load_batches

@stoppable
def train():
    for batch in load_batches(torch.utils.data.TensorDataset(torch.zeros(10**6)), 2, 2):
        print("step", flush=True)
        time.sleep(0.01)

group = LazyGroup("cryoseg")
group.get_command = lambda *_: click.Command("train", callback=train)
group(["train"])
"""


class Numbers(Dataset[torch.Tensor]):
    """The numbers from 0; `ends` ends its process, as for lack of memory, and `fails` is an error."""

    def __init__(self, n: int, ends: int = -1, fails: int = -1) -> None:
        self.n, self.ends, self.fails = n, ends, fails

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> torch.Tensor:
        if index == self.ends:
            os.kill(os.getpid(), signal.SIGKILL)
        if index == self.fails:
            raise RuntimeError("the field is bad")
        return torch.tensor(index)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_batches_come_in_order_and_no_handler_stays(workers: int) -> None:
    before = signal.getsignal(signal.SIGCHLD)
    batches = load_batches(Numbers(6), 2, workers)
    assert [list(batch) for batch in batches] == [[0, 1], [2, 3], [4, 5]]
    assert signal.getsignal(signal.SIGCHLD) is before


def test_a_worker_that_is_ended_is_one_sentence() -> None:
    with pytest.raises(CryosegError, match="fewer --workers, and it goes on from the last epoch"):
        list(load_batches(Numbers(6, ends=4), 2, 1))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_the_data_stays_itself(workers: int) -> None:
    with pytest.raises(RuntimeError, match="the field is bad"):
        list(load_batches(Numbers(6, fails=4), 2, workers))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_processes_is_one_sentence_and_leaves_none(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TRAINING],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as training:
        assert training.stdout
        assert training.stdout.readline() == "step\n"
        os.killpg(training.pid, number)
        _, printed = training.communicate(timeout=60)
    assert training.returncode == 1
    assert printed == (
        f"Error: the training was stopped by {number.name} (a queue's time limit?): run the same command "
        "again, and it goes on from the last epoch\n"
    )
    with pytest.raises(ProcessLookupError):
        os.killpg(training.pid, 0)
