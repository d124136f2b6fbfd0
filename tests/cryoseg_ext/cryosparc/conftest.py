"""A CryoSPARC on loopback, of either version, and the real client of that version to drive it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import uvicorn
from cryosparc.dataset import Dataset
from fastapi import FastAPI

from cryoseg_ext.simulation import Scale, draw_specimen, simulate_at
from cryoseg_ext.simulation.presets import TYPICAL
from tests.cryoseg_ext.cryosparc.instance import EMAIL, LICENSE, PASSWORD, Group, Instance, Job
from tests.cryoseg_ext.cryosparc.rest import rest_app
from tests.cryoseg_ext.cryosparc.rpc import rpc_app

OLD_CLIENT = "cryosparc-tools==4.7.1"
SERVER_VERSIONS = {"5": "v5.0.3", "4.7": "v4.7.1"}

PIXEL_SIZE_A, DIAMETER_A, SHAPE = 5.0, 120.0, (300, 260)
CENTRES_PX = ((200, 50), (60, 120), (150, 170))
"""(x, y) of the particles: most of them right and on top, so that no flip and no swap goes unseen."""


class Server:
    """A program on ports of loopback, counted from one as CryoSPARC does."""

    def __init__(self, app: FastAPI, offsets: tuple[int, ...]) -> None:
        self._sockets, base_port = _bind(offsets)
        self.url = f"http://127.0.0.1:{base_port}"
        config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=(self._sockets,))
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def vanish(self) -> None:
        """Stop to answer soon."""
        self._server.should_exit = True

    def close(self) -> None:
        self.vanish()
        self._thread.join()


@dataclass
class Finished:
    code: int
    output: str

    def last_line(self) -> str:
        return self.output.strip().splitlines()[-1]


class Commands:
    """Commands with the client of one version."""

    def __init__(self, folder: Path, client: Path | None) -> None:
        self._folder = folder
        environment = {**os.environ, "CRYOSPARC_COMMAND_RETRY_SECONDS": "0", "OMP_NUM_THREADS": "1"}
        if client:
            environment["PYTHONPATH"] = os.pathsep.join([str(client), environment.get("PYTHONPATH", "")])
        script = [sys.executable, str(Path(__file__).with_name("commands.py"))]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(script, env=environment, **pipes)
        self._running_pid: int | None = None

    def start(self, url: str, arguments: list[str], **environment: str) -> int:
        """Start a command and return its process id."""
        login = {"CRYOSPARC_EMAIL": EMAIL, "CRYOSPARC_PASSWORD": PASSWORD, "CRYOSPARC_LICENSE_ID": LICENSE}
        here = {"CRYOSPARC_BASE_URL": url, "XDG_CONFIG_HOME": str(self._folder), "HOME": str(self._folder)}
        command = {"output": str(self._output), "arguments": arguments}
        command_line = json.dumps({**command, "environment": {**here, **login, **environment}})
        if self._running_pid:
            # The test before ran out of time.
            os.kill(self._running_pid, signal.SIGKILL)
            self.wait()
        assert self._process.stdin
        self._process.stdin.write(f"{command_line}\n")
        self._process.stdin.flush()
        self._running_pid = self._number()
        return self._running_pid

    def wait(self) -> Finished:
        code = self._number()
        self._running_pid = None
        return Finished(code, self._output.read_text())

    def close(self) -> None:
        self._process.communicate()

    @property
    def _output(self) -> Path:
        return self._folder / "output"

    def _number(self) -> int:
        assert self._process.stdout
        return int(self._process.stdout.readline())


@dataclass
class Site:
    """A CryoSPARC and the commands of a user who works there."""

    version: str
    instance: Instance
    server: Server
    commands: Commands

    @property
    def job_folder(self) -> Path:
        return self.instance.job_folder(self.instance.picking.uid)

    @property
    def kept(self) -> list[Path]:
        """The files of finished micrographs."""
        return sorted(self.job_folder.glob("candidates/*.star"))

    def start(self, command: str, *more: str, **environment: str) -> int:
        arguments = ["--project", "P3", "--workspace", "W1", "--exposures", "J12:exposures_accepted"]
        always = ["cryosparc", command, "--particle_diameter", f"{DIAMETER_A:g}"]
        return self.commands.start(self.server.url, [*always, *arguments, *more], **environment)

    def pick(self, *more: str, **environment: str) -> Finished:
        """Run the command; options given again replace the first ones."""
        self.start("pick", *more, **environment)
        return self.commands.wait()

    def signalled(self, moment: str, number: signal.Signals, command: str, *more: str) -> Finished:
        """Run a command, which gets a signal when something happens in CryoSPARC."""
        pid: Future[int] = Future()
        self.instance.when(moment, lambda: os.kill(pid.result(5), number))
        pid.set_result(self.start(command, *more))
        return self.commands.wait()


@pytest.fixture(params=["5", "4.7"], scope="module")
def commands(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    client = _old_client(request.config) if request.param == "4.7" else None
    commands = Commands(tmp_path_factory.mktemp("commands"), client)
    yield commands
    commands.close()


@pytest.fixture
def version(request: pytest.FixtureRequest) -> str:
    """Return the version that `commands` is asked for; 5 for a test without them."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    return str(parameters.get("commands", "5"))


@pytest.fixture
def instance(tmp_path: Path, version: str) -> Instance:
    """Return a project of three micrographs, linked into it and itself a link."""
    real, data, linked = tmp_path / "disk/project", tmp_path / "data", tmp_path / "projects/CS-link"
    (real / "J2/imported").mkdir(parents=True)
    linked.parent.mkdir()
    linked.symlink_to(real)
    data.mkdir()
    for number in range(3):
        image = micrograph(number)
        mrcfile.write(data / f"{number}.mrc", image, voxel_size=PIXEL_SIZE_A)
        (real / f"J2/imported/mic{number}.mrc").symlink_to(Path("../../../..", "data", f"{number}.mrc"))
        mrcfile.write(real / f"J2/denoised{number}.mrc", binned(image), voxel_size=2 * PIXEL_SIZE_A)
    mrcfile.write(real / "J2/map.mrc", ball(), voxel_size=PIXEL_SIZE_A)
    instance = Instance(linked, exposures(3), SERVER_VERSIONS[version], optional_fields=version == "5")
    outputs = {
        "particles": Group("particle", "Particles", [], dataset=particles(4)),
        "volume": Group("volume", "Volume", [], dataset=Dataset({"map/path": ["J2/map.mrc"]})),
    }
    instance.jobs["J20"] = Job("J20", "homo_refine", "Refinement", "completed", outputs=outputs)
    return instance


@pytest.fixture
def server(instance: Instance, version: str) -> Iterator[Server]:
    server = serve(instance, version)
    yield server
    server.close()


def serve(instance: Instance, version: str) -> Server:
    """Start a server of one version for an instance."""
    return Server(rest_app(instance), (0,)) if version == "5" else Server(rpc_app(instance), (2, 3, 5))


@pytest.fixture
def site(version: str, instance: Instance, server: Server, commands: Commands) -> Site:
    return Site(version, instance, server, commands)


@pytest.fixture
def environment(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Set where the server is and who asks."""
    for name in ("CRYOSPARC_MASTER_HOSTNAME", "CRYOSPARC_BASE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CRYOSPARC_BASE_URL", server.url)
    monkeypatch.setenv("CRYOSPARC_EMAIL", EMAIL)
    monkeypatch.setenv("CRYOSPARC_PASSWORD", PASSWORD)
    monkeypatch.setattr("cryosparc.auth.get_default_auth_config_path", lambda: tmp_path / "auth.json")
    return monkeypatch


def micrograph(seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return a simulated micrograph with hollow particles in clear view."""
    rng = np.random.default_rng(seed)
    conditions = replace(TYPICAL, contaminated=False, dose_e_A2=None, snr=1.0)
    centres_px = np.array(CENTRES_PX, np.float64)
    shell = draw_specimen(rng, "shell")
    scale = Scale(PIXEL_SIZE_A, DIAMETER_A)
    return simulate_at(rng, SHAPE, scale, shell, conditions, centres_px).image


def exposures(number: int) -> Dataset[Any]:
    dataset: Dataset[Any] = Dataset.allocate(
        number,
        [
            ("micrograph_blob/path", "O"),
            ("micrograph_blob/shape", "2u4"),
            ("micrograph_blob/psize_A", "f4"),
            ("micrograph_blob_denoised/path", "O"),
            ("micrograph_blob_denoised/shape", "2u4"),
            ("micrograph_blob_denoised/psize_A", "f4"),
            ("mscope_params/exp_group_id", "u4"),
            ("ctf/df1_A", "f4"),
        ],
    )
    dataset["uid"] = np.arange(number, dtype=np.uint64) + np.uint64(2**63)
    dataset["micrograph_blob/path"] = [f"J2/imported/mic{index}.mrc" for index in range(number)]
    dataset["micrograph_blob/shape"] = np.tile(SHAPE, (number, 1))
    dataset["micrograph_blob/psize_A"] = PIXEL_SIZE_A
    dataset["micrograph_blob_denoised/path"] = [f"J2/denoised{index}.mrc" for index in range(number)]
    dataset["micrograph_blob_denoised/shape"] = np.tile(SHAPE, (number, 1)) // 2
    dataset["micrograph_blob_denoised/psize_A"] = 2 * PIXEL_SIZE_A
    dataset["mscope_params/exp_group_id"] = 7
    return dataset


def binned(image: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return a micrograph with half as many rows and columns."""
    ny, nx = image.shape
    return image.reshape(ny // 2, 2, nx // 2, 2).mean(axis=(1, 3))


def ball() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the map of the particle, in a box of 40 voxels."""
    squared = ((np.indices((40, 40, 40)) - 20) ** 2).sum(axis=0)
    density: np.ndarray[Any, np.dtype[np.float32]] = np.zeros(squared.shape, np.float32)
    density[squared < (DIAMETER_A / PIXEL_SIZE_A / 2) ** 2] = 1
    return density


def particles(number: int) -> Dataset[Any]:
    """Return the particles of so many micrographs, refined; their images were cut 2 px to the left."""
    n = number * len(CENTRES_PX)
    dataset: Dataset[Any] = Dataset.allocate(
        n,
        [
            ("location/micrograph_path", "O"),
            ("location/micrograph_shape", "2u4"),
            ("location/micrograph_psize_A", "f4"),
            ("location/center_x_frac", "f4"),
            ("location/center_y_frac", "f4"),
            ("alignments3D/pose", "3f4"),
            ("alignments3D/shift", "2f4"),
            ("alignments3D/psize_A", "f4"),
            ("blob/psize_A", "f4"),
        ],
    )
    names = [f">J2/imported/mic{index}.mrc" for index in range(number) for _ in CENTRES_PX]
    dataset["location/micrograph_path"] = names
    dataset["location/micrograph_shape"] = np.tile(SHAPE, (n, 1))
    dataset["location/micrograph_psize_A"] = PIXEL_SIZE_A
    x_px, y_px = np.tile(CENTRES_PX, (number, 1)).T
    dataset["location/center_x_frac"] = (x_px - 2) / SHAPE[1]
    dataset["location/center_y_frac"] = y_px / SHAPE[0]
    dataset["alignments3D/shift"] = np.tile([-2, 0], (n, 1))
    dataset["alignments3D/psize_A"] = dataset["blob/psize_A"] = PIXEL_SIZE_A
    return dataset


def _bind(offsets: tuple[int, ...]) -> tuple[list[socket.socket], int]:
    for base_port in range(39100, 60000, 10):
        sockets = [socket.socket() for _ in offsets]
        try:
            for offset, one in zip(offsets, sockets, strict=True):
                one.bind(("127.0.0.1", base_port + offset))
        except OSError:
            for one in sockets:
                one.close()
        else:
            return sockets, base_port
    raise OSError("no free ports")


def _old_client(config: pytest.Config) -> Path:
    """Return a folder with the old client, kept from one run of the tests to the next."""
    assert config.cache is not None
    folder = config.cache.mkdir("clients")
    client = folder / OLD_CLIENT
    if not client.exists():
        unfinished = folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        target = ["--no-deps", "--only-binary", ":all:", "--target", str(unfinished), OLD_CLIENT]
        done = subprocess.run([*pip, *target], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = f"{OLD_CLIENT} cannot be installed: {done.stderr.strip()[-300:]}"
            if "CI" in os.environ or os.environ.get("CRYOSEG_REQUIRE_RELION") == "1":
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)
        unfinished.rename(client)
    return client
