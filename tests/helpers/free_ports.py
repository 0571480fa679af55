"""Ports for the servers of tests, which bind them seconds after they were found."""

from __future__ import annotations

import random
import socket
from itertools import islice

# Below the ports that systems give to outgoing connections, any of which may be taken in these seconds.
PORTS = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on, all different, drawn anew by every process."""
    drawn = random.SystemRandom().sample(PORTS, len(PORTS))
    return [*islice(filter(_is_free, drawn), count)]


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("", port)):
            return True
    except OSError:
        return False
