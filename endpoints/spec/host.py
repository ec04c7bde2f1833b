"""Which machine or container this is, where several run the instances of one studio."""

from __future__ import annotations

import socket
from collections.abc import Mapping

# What a host says that finds out its name and address by itself, as a container does.
AUTO = "auto"


def host_name(environ: Mapping[str, str]) -> str:
    """From SLIPWAY_HOST: "" for a studio on one machine, `auto` for this machine's own name, else a name."""
    name = environ.get("SLIPWAY_HOST", "")
    return socket.gethostname() if name == AUTO else name


def instance_address(environ: Mapping[str, str]) -> str:
    """Where instances that are processes listen: on loopback, unless gateways on other hosts have to reach them.

    SLIPWAY_INSTANCE_ADDRESS says otherwise than this host's name does.
    """
    if address := environ.get("SLIPWAY_INSTANCE_ADDRESS", ""):
        return address
    return socket.gethostbyname(socket.gethostname()) if environ.get("SLIPWAY_HOST") else "127.0.0.1"
