"""Servers on loopback that speak the protocol of either version of CryoSPARC."""

from __future__ import annotations

import socket
import threading
import time

import uvicorn
from fastapi import FastAPI

from tests.cryoseg_ext.cryosparc.instance import Instance
from tests.cryoseg_ext.cryosparc.rest import rest_app
from tests.cryoseg_ext.cryosparc.rpc import rpc_app


class Server:
    """A program on ports of loopback, counted from one as CryoSPARC does."""

    def __init__(self, app: FastAPI, offsets: tuple[int, ...]) -> None:
        self._sockets, base_port = _bind(offsets)
        self.url = f"http://127.0.0.1:{base_port}"
        config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=(self._sockets,))
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def vanish(self) -> None:
        """Stop to answer soon."""
        self._server.should_exit = True

    def close(self) -> None:
        self.vanish()
        self._thread.join()


def serve(instance: Instance, version: str) -> Server:
    """Start a server of one version for an instance."""
    return Server(rest_app(instance), (0,)) if version == "5" else Server(rpc_app(instance), (2, 3, 5))


def _bind(offsets: tuple[int, ...]) -> tuple[list[socket.socket], int]:
    for base_port in range(39100, 60000, 10):
        sockets = [socket.socket() for _ in offsets]
        try:
            for offset, one in zip(offsets, sockets, strict=True):
                one.bind(("127.0.0.1", base_port + offset))
        except OSError:
            for one in sockets:
                one.close()
        else:
            return sockets, base_port
    raise OSError("no free ports")
