"""Words of sentences for users."""


def counted(number: int, thing: str) -> str:
    """Return a number of things in words: "1 particle", "2 particles"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
