"""The one exception a user of cryoseg is meant to see."""


class CryosegError(Exception):
    """A problem the user can mend.

    The message is one sentence that names the file and the mend; commands print it without a traceback.
    """
