"""No module needs what only Linux has to be imported; what its functions use is checked by ``make lint``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINUX_ONLY = {
    "attribute": "import os\nCORES = len(os.sched_getaffinity(0))",
    "name": "from signal import SIGPOLL",
    "library": 'import ctypes\nLIBC = ctypes.CDLL("libc.so.6")',
    "process": "import ctypes\nLIBC = ctypes.CDLL(None)",
    "file": 'MEMORY = open("/proc/meminfo").read()',
}


def _as_on_macos(path: Path, *packages: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "tests/as_on_macos.py"), *packages],
        env=os.environ | {"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_all_modules_can_be_imported_on_macos() -> None:
    code, printed = _as_on_macos(ROOT, "cryoseg_ext", "relion_wrapper")
    assert (code, len(printed)) == (0, 1), printed
    n_files = sum(
        path.name != "__main__.py"
        for package in ("cryoseg_ext", "relion_wrapper")
        for path in (ROOT / package).rglob("*.py")
    )
    assert printed == [f"{n_files} modules"]


def test_what_only_linux_has_would_be_found(tmp_path: Path) -> None:
    package = tmp_path / "linux_only"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, text in LINUX_ONLY.items():
        (package / f"{name}.py").write_text(f"{text}\n")
    code, printed = _as_on_macos(tmp_path, "linux_only")
    assert code == 1
    assert [line.split(": ")[0] for line in printed[:-1]] == [
        f"linux_only.{name}" for name in sorted(LINUX_ONLY)
    ]
