"""Words of sentences for users."""

from __future__ import annotations

import sys


def counted(number: int, thing: str) -> str:
    """Return a number of things in words: "1 particle", "2 particles"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def shown(value: object) -> str:
    """Return a value of a file as a sentence can hold it."""
    text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def printable(text: str) -> str:
    """Return text as it can be shown: control characters of a name, such as terminal escapes, as their code.

    Line ends and tabs stay, and so do letters of any script; bytes of a file name that are no text, and marks
    that turn the direction of writing, are shown as their code.
    """
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def note(sentence: str) -> None:
    """Print a sentence that the user should know of while a command goes on."""
    sys.stderr.write(f"Note: {printable(sentence)}\n")
