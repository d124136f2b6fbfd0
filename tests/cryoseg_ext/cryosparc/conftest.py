"""A CryoSPARC on loopback, of either version, and the real client of that version to drive it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cryoseg_ext.cryosparc.instance import EMAIL, LICENSE, PASSWORD, Instance
from tests.cryoseg_ext.cryosparc.server import Server, serve
from tests.cryoseg_ext.cryosparc.session import DIAMETER_A, instance_of, write_project

OLD_CLIENT = "cryosparc-tools==4.7.1"


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
    write_project(tmp_path)
    return instance_of(tmp_path, version)


@pytest.fixture
def server(instance: Instance, version: str) -> Iterator[Server]:
    server = serve(instance, version)
    yield server
    server.close()


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
