from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from cryoseg_ext.cli import main


def test_help_lists_the_commands_without_importing_them() -> None:
    code = (
        "import sys\nfrom cryoseg_ext.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'scipy', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pick " in done.stdout


@pytest.mark.parametrize("command", ["pick", "train"])
def test_every_listed_command_has_its_own_help(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert "--out" in result.output


def test_an_unknown_command_is_told() -> None:
    result = CliRunner().invoke(main, ["guess"])
    assert result.exit_code == 2
    assert "guess" in result.output
