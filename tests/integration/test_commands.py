"""The README tells the options of the installed commands."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_every_option_in_the_readme_exists() -> None:
    table = re.findall(r"^\| `(--\w+)` \|", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    printed = _help("cryoseg-relion").stdout
    assert len(table) > 5
    assert [option for option in table if f"{option} " not in printed] == []


def _help(command: str) -> subprocess.CompletedProcess[str]:
    program = Path(sysconfig.get_path("scripts")) / command
    return subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
