"""A network for each endpoint, so that the containers of one cannot reach those of another; made on first use.

An engine has about thirty address ranges of its own to give; a studio may have hundreds of endpoints. What comes after
those gets a range out of SLIPWAY_DOCKER_POOL.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from ipaddress import IPv4Network, ip_network
from typing import Any

import docker
from docker.errors import APIError
from docker.types import IPAMConfig, IPAMPool

_CONFLICT = 409
_POOL = "10.231.0.0/16"
_PREFIX = 24
_NONE_LEFT = ("non-overlapping", "fully subnetted")
_TAKEN = "overlaps"


class Networks:
    """Those of one studio on one engine."""

    def __init__(self, client: docker.DockerClient, studio: str, *, pool: str = "") -> None:
        self._client, self._studio = client, studio
        self._pool = ip_network(pool or os.environ.get("SLIPWAY_DOCKER_POOL") or _POOL)

    def ensure(self, endpoint: str, *, has_egress: bool) -> str:
        """The name of the endpoint's network; a closed one leads nowhere but to this host."""
        name = f"slipway-{self._studio}-{endpoint}{'' if has_egress else '-closed'}"
        if not self._client.networks.list(names=[f"^{name}$"]):
            labels = {"slipway.studio": self._studio, "slipway.endpoint": endpoint}
            options = {"driver": "bridge", "internal": not has_egress, "check_duplicate": True, "labels": labels}
            try:
                self._create(name, options)
            except APIError as error:
                if error.status_code != _CONFLICT:  # somebody else has just made it
                    raise
        return name

    def _create(self, name: str, options: dict[str, Any]) -> None:
        try:
            self._client.networks.create(name, **options)
        except APIError as error:
            if not any(words in str(error.explanation) for words in _NONE_LEFT):
                raise
            self._create_in_pool(name, options, error)

    def _create_in_pool(self, name: str, options: dict[str, Any], trouble: APIError) -> None:
        for subnet in self._free_subnets():
            ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet))])
            try:
                self._client.networks.create(name, ipam=ipam, **options)
            except APIError as error:
                if _TAKEN not in str(error.explanation).lower():  # another process was quicker, or the host has it
                    raise
            else:
                return
        raise trouble

    def _free_subnets(self) -> Iterator[IPv4Network]:
        networks = (network.attrs.get("IPAM") or {} for network in self._client.networks.list())
        taken = [
            ip_network(each["Subnet"]) for ipam in networks for each in ipam.get("Config") or () if "Subnet" in each
        ]
        for subnet in self._pool.subnets(new_prefix=max(_PREFIX, self._pool.prefixlen)):
            if isinstance(subnet, IPv4Network) and not any(subnet.overlaps(each) for each in taken):
                yield subnet

    def remove_idle(self, *, endpoint: str = "") -> None:
        """Remove the networks nobody is in: of the endpoint, or all."""
        wanted = [f"slipway.studio={self._studio}", *([f"slipway.endpoint={endpoint}"] if endpoint else [])]
        for network in self._client.networks.list(filters={"label": wanted}):
            with contextlib.suppress(APIError):  # in use by another deployment of the endpoint
                network.remove()
