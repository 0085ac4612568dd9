"""A way between a client and a server that is cut at a chosen point: before a request, or before its answer."""

import socket
import threading
from contextlib import suppress
from enum import Enum, auto
from typing import Self

__all__ = ["Cut", "CutTcp"]


class Cut(Enum):
    """What becomes of the next request of the client."""

    NOTHING = auto()
    REQUEST = auto()
    """It does not reach the server; the client's connection ends, the server's stays open."""
    ANSWER = auto()
    """It reaches the server, and the answer does not come back; the client's connection ends, the server's stays."""
    SILENCE = auto()
    """It does not reach the server, and nobody says so."""


class CutTcp:
    """Passes connections on to a port of this machine."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.cut = Cut.NOTHING
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listening, *self._open):
            _end(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                for work in (self._requests, self._answers):
                    threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while content := client.recv(65_536):
                if self.cut is Cut.REQUEST:
                    self.cut = Cut.NOTHING
                    _end(client)
                    return
                if self.cut is not Cut.SILENCE:
                    server.sendall(content)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while content := server.recv(65_536):
                if self.cut is Cut.ANSWER:
                    self.cut = Cut.NOTHING
                    _end(client)
                    return
                client.sendall(content)
            _end(client)


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
