"""CryoSPARC: an External job through its server, and results groups without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryoseg_ext.cryosparc.client import Login, find_login
    from cryoseg_ext.cryosparc.pick import PickingJob, pick_exposures

__all__ = ["Login", "PickingJob", "find_login", "pick_exposures"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: the files of a group need no torch."""
    if name in ("Login", "find_login"):
        from cryoseg_ext.cryosparc import client

        return getattr(client, name)
    if name in ("PickingJob", "pick_exposures"):
        from cryoseg_ext.cryosparc import pick

        return getattr(pick, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
