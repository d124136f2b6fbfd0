"""The command ``cryoseg``; one thin file per sub-command."""

from cryoseg_ext.cli.main import main

__all__ = ["main"]
