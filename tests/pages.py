"""The pages that people read, and the commands on them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from relion_wrapper.cli import main as relion_main
from relion_wrapper.command import PICK
from relion_wrapper.train import TRAIN
from relion_wrapper.train import main as relion_train_main

ROOT = Path(__file__).parent.parent
CARD = ROOT / "cryoseg_ext/model/weights/MODEL_CARD.md"
OUTSIDE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", CARD]
PAGES = [*OUTSIDE, *sorted((ROOT / "docs").rglob("*.md"))]
RELION = {"cryoseg-relion": (PICK, relion_main), "cryoseg-relion-train": (TRAIN, relion_train_main)}
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of code of a page in a language."""
    return [text for found, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def commands_of(page: Path) -> list[list[str]]:
    """Return the command lines of a page as lists of words."""
    lines = (line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines())
    return [shlex.split(line, comments=True) for line in lines if line.strip()]


def of_cryoseg(words: Sequence[str]) -> bool:
    """Return whether a command line is one of ours."""
    return words[0] == "cryoseg" or words[0] in RELION
