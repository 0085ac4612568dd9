"""HTTP requests to a server of ours as a stranger can forge them: every header as given, nothing added."""

import socket
from collections.abc import Mapping
from http.client import HTTPResponse

from msgspec import Struct

__all__ = ["Reply", "ask"]


class Reply(Struct, frozen=True, kw_only=True):
    """An answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    text: str

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def cookie(self) -> str:
        """The pair of name and value that the answer sets; empty when it sets none."""
        return (self.header("Set-Cookie") or "").partition(";")[0]


def ask(port: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: str = "") -> Reply:
    """Send one request with exactly these headers (and its length) and read the answer."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    content = body.encode()
    lines += [f"Content-Length: {len(content)}"] if content or method == "POST" else []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode() + content)
        response = HTTPResponse(connection, method=method)
        try:
            response.begin()
            text = response.read().decode("utf-8", "replace")
        finally:
            response.close()
        return Reply(status=response.status, headers=tuple(response.getheaders()), text=text)
