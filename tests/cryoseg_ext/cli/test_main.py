from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from click.testing import CliRunner

from cryoseg_ext.cli import main
from tests.engine import blobs, write_micrograph


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


def test_an_unknown_command_is_told() -> None:
    result = CliRunner().invoke(main, ["guess"])
    assert result.exit_code == 2
    assert "guess" in result.output


def test_the_version_is_told() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.output == f"cryoseg {version('cryoseg')}\n"


def test_a_problem_that_the_user_can_fix_is_one_sentence() -> None:
    result = CliRunner().invoke(main, ["pick", "--particle_diameter", "100", "--out", "out"])
    assert result.exit_code == 1
    assert result.output == (
        "Error: no micrographs are given: name files, patterns, a folder or a list as MICROGRAPHS\n"
    )


def test_a_folder_that_cannot_be_written_is_one_sentence_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    micrograph = write_micrograph(tmp_path / "a.mrc", blobs(0))
    out = tmp_path / "file/out"
    result = CliRunner().invoke(
        main, ["pick", str(micrograph), "--particle_diameter", "100", "--out", str(out)]
    )
    assert result.exit_code == 1
    assert result.output == (
        f"Error: {out}: Not a directory: correct this and run the command again; what is finished is kept\n"
    )
