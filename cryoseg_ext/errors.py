"""The one exception that users of cryoseg see."""

from __future__ import annotations


class CryosegError(Exception):
    """A problem that the user can fix.

    The message is one sentence that names the file and the remedy; commands print it without a traceback.
    """

    def about(self, name: object) -> CryosegError:
        """Return the error with `name`, that of its subject, in front, unless the sentence contains it."""
        return self if str(name) in str(self) else CryosegError(f"{name}: {self}")


class NothingPickedError(CryosegError):
    """None of the micrographs so far can be picked; with others, the job goes on."""
