"""Files of settings that would fill the memory, and their like, end in a sentence at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.settings import read_settings
from cryoseg_ext.options.text import read_json, read_yaml
from cryoseg_ext.words import printable

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (BOMB, "unfolds to more than"),
        (MERGES, "has merge keys"),
        ("a: " + "[" * 5000, "is no YAML file"),
        ("x: " + "1" * 300_000, "is longer than"),
        ("x: " + ":".join(["1"] * 100_000), "over 18 digits"),
        ("2026-13-45", "is no YAML file"),
    ],
)
def test_yaml_is_bounded(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(CryosegError, match=sentence):
        read_yaml(tmp_path / "a.yaml")


def test_an_alias_that_repeats_little_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a [1, 2]\nb: *a\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize("text", ["[" * 100_000, "{", '{"a": ' * 2000, "\xff"])
def test_json_is_bounded(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    with pytest.raises(CryosegError, match="is not"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("value", ["NaN", "1e999", '"nan"'])
def test_a_setting_that_is_no_number_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "s.json").write_text(f'{{"settings": {{"threshold": {value}}}}}')
    with pytest.raises(CryosegError, match="threshold"):
        read_settings(tmp_path / "s.json")


def test_terminal_escapes_are_shown_and_letters_stay() -> None:
    assert printable("a\x1b[2J\x07é中\udcff\u202e b\n") == "a\\x1b[2J\\x07é中\\udcff\\u202e b\n"
