"""Looks at all deployments of a target at once, and never waits long for a target that hangs.

A look that is late goes on in its own thread; until it is over, that target is not looked at again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from endpoints.backends.base import Backend, DeploymentRef, ObservedInstance, Permanent, Temporary

logger = logging.getLogger(__name__)

PATIENCE_S = 3.0

Report = Mapping[DeploymentRef, tuple[ObservedInstance, ...]]


@dataclass(slots=True)
class _Look:
    is_over: threading.Event = field(default_factory=threading.Event)
    report: Report | None = None


_under_way: dict[str, _Look] = {}


def look_at(backend: Backend, deployments: Sequence[DeploymentRef], *, patience_s: float = PATIENCE_S) -> Report | None:
    """What the target reports of each, None where it cannot or does not in time."""
    if backend.name in _under_way:
        logger.warning("The %s backend still has not answered the last look", backend.name)
        return None
    look = _under_way[backend.name] = _Look()
    threading.Thread(target=_take, args=(backend, deployments, look), name=f"look-{backend.name}", daemon=True).start()
    if not look.is_over.wait(patience_s):
        logger.warning("The %s backend does not answer; its deployments are looked at later", backend.name)
        return None
    return look.report


def _take(backend: Backend, deployments: Sequence[DeploymentRef], look: _Look) -> None:
    try:
        look.report = backend.observe_many(deployments)
    except (Temporary, Permanent) as trouble:
        logger.warning("Cannot look at deployments on %s: %s", backend.name, trouble)
    except Exception:
        logger.exception("Looking at deployments on %s failed", backend.name)
    finally:
        del _under_way[backend.name]
        look.is_over.set()
