"""Who works on a deployment: one at a time, by compare-and-set on its row, and never for long after a death."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psutil
from django.db import DatabaseError, connection
from django.db.models import Q, QuerySet

from endpoints.control.clock import Clock
from endpoints.models import OnlineDeployment

logger = logging.getLogger(__name__)

LEASE_S = 5.0
RENEW_S = 1.5


class LeaseLost(Exception):
    """Somebody else took the deployment; whoever held it must not write any more."""


@dataclass(frozen=True, slots=True)
class Lease:
    deployment_id: int
    owner: str
    clock: Clock

    def renew(self) -> None:
        """Go on holding it; raises LeaseLost where it expired and was taken."""
        until = self.clock.now() + timedelta(seconds=LEASE_S)
        if not self._mine().update(lease_until=until):
            raise LeaseLost

    def release(self) -> None:
        self._mine().update(lease_owner="", lease_until=None)

    def _mine(self) -> QuerySet[OnlineDeployment]:
        return OnlineDeployment.objects.filter(pk=self.deployment_id, lease_owner=self.owner)


def free(clock: Clock) -> Q:
    """Deployments nobody works on."""
    return Q(lease_until=None) | Q(lease_until__lt=clock.now())


def free_those_of_the_dead() -> int:
    """Free what workers of this host held when they were killed, so that nobody waits for it to expire.

    Returns how many. A process of that number that lives is left alone, whoever it is: its lease expires by itself.
    """
    freed = 0
    rows = OnlineDeployment.objects.filter(lease_owner__startswith=f"{_host()}-")
    for pk, owner in rows.values_list("pk", "lease_owner"):
        pid = owner.removeprefix(f"{_host()}-").partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            mine = OnlineDeployment.objects.filter(pk=pk, lease_owner=owner)
            freed += mine.update(lease_owner="", lease_until=None)
    return freed


def _host() -> str:
    return socket.gethostname()[:30]


@contextmanager
def hold(deployment_id: int, clock: Clock) -> Iterator[Lease | None]:
    """Take the lease for the block, None where somebody holds it. A thread keeps it through calls that take long."""
    lease = _take(deployment_id, clock)
    if lease is None:
        yield None
        return
    is_over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(lease, is_over), name=f"lease-{deployment_id}", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        is_over.set()
        keeper.join()
        lease.release()


def _take(deployment_id: int, clock: Clock) -> Lease | None:
    owner = f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
    until = clock.now() + timedelta(seconds=LEASE_S)
    taken = OnlineDeployment.objects.filter(free(clock), pk=deployment_id).update(lease_owner=owner, lease_until=until)
    return Lease(deployment_id, owner, clock) if taken else None


def _keep(lease: Lease, is_over: threading.Event) -> None:
    """Renew until told to stop. That it is lost the holder learns by the renewals in its own thread."""
    try:
        while not is_over.wait(RENEW_S):
            try:
                lease.renew()
            except DatabaseError as trouble:
                logger.warning("Could not renew the lease of deployment %s: %s", lease.deployment_id, trouble)
    except LeaseLost:
        return
    finally:
        connection.close()
