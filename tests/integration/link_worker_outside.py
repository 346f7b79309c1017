"""The link's child process with a pretended internet beneath it. argv[1]: the local server's port.

Names ending in `.outside.test` resolve to a public address, `inside.test` to a private one, and
every connection that is let through ends at the local server, whatever its address.
"""

import socket
import sys
from typing import Any

PORT = int(sys.argv[1])
_connect = socket.socket.connect
_resolve = socket.getaddrinfo


def resolve(host: Any, port: Any, *args: Any, **more: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    known = {"inside.test": "10.0.0.1", "metadata.test": "169.254.169.254"}
    address = "8.8.8.8" if name.endswith(".outside.test") else known.get(name)
    if address is None:
        return _resolve(host, port, *args, **more)
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port)))]


def connect(sock: socket.socket, where: Any) -> Any:
    return _connect(sock, ("127.0.0.1", PORT))


if __name__ == "__main__":
    socket.getaddrinfo = resolve
    socket.socket.connect = connect  # type: ignore[assignment, method-assign]
    from app.sources.link_worker import main

    sys.exit(main())
