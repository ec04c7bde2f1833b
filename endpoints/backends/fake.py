"""A compute target in memory, for tests: instances live by scripts, time is the caller's clock, nothing is started.

It keeps the contract like the real ones and can be told to misbehave in every way they can.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from endpoints.backends.base import (
    DeploymentRef,
    InstanceTemplate,
    LogLine,
    ObservedInstance,
    Permanent,
    Phase,
    Plan,
    StartInstance,
    StopInstance,
    Temporary,
)
from endpoints.backends.exit_reasons import exit_reason
from endpoints.spec.failure import Failure

_FIRST_PORT = 20_000
_FOLLOW_S = 0.01


@dataclass(frozen=True, slots=True)
class Script:
    """How an instance behaves.

    starts_in_s: until it runs. exit_code: it ends by itself with it after `lives_s` of running (0: instead of
    starting), None lives on. failure: what the server reports when it ends. stops_in_s: how long it takes to end when
    asked; beyond the grace it is killed.
    """

    starts_in_s: float = 0.0
    exit_code: int | None = None
    lives_s: float = 0.0
    failure: Failure | None = None
    stops_in_s: float = 0.0


@dataclass(slots=True)
class _Instance:
    revision: int
    script: Script
    started_at: datetime
    port: int
    stop_at: datetime | None = None
    crashed_with: int | None = None
    log: list[LogLine] = field(default_factory=list)


class FakeBackend:
    """`script` chooses the behaviour of each start; `errors` are raised, one a call, by the next calls."""

    name = "fake"

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        script: Callable[[DeploymentRef, StartInstance], Script] = lambda _, __: Script(),
    ) -> None:
        self._now, self.script = now, script
        self.errors: list[Temporary | Permanent] = []
        self.staged: set[tuple[DeploymentRef, int]] = set()
        self.calls: list[str] = []
        self._instances: dict[DeploymentRef, dict[str, _Instance]] = {}
        self._logs: dict[tuple[DeploymentRef, str], list[LogLine]] = {}
        self._next_port = _FIRST_PORT
        self._lock = threading.RLock()

    def stage(self, deployment: DeploymentRef, template: InstanceTemplate) -> None:
        with self._call("stage"):
            if (deployment, template.revision) not in self.staged:
                self.staged.add((deployment, template.revision))
                self._log(deployment, "", "storage-initializer", f"Staging revision {template.revision}.")

    def apply(self, plan: Plan) -> None:
        with self._call("apply"):
            for stop in plan.stop:
                self._stop(plan.deployment, stop)
            for start in plan.start:
                self._start(plan.deployment, start)

    def _start(self, deployment: DeploymentRef, start: StartInstance) -> None:
        instances = self._instances.setdefault(deployment, {})
        if start.instance_id in instances:
            return
        self.stage(deployment, start.template)
        self._next_port += 1
        instances[start.instance_id] = _Instance(
            revision=start.template.revision,
            script=self.script(deployment, start),
            started_at=self._now(),
            port=self._next_port,
        )
        self._log(deployment, start.instance_id, "inference-server", "Invoking user's init function")

    def _stop(self, deployment: DeploymentRef, stop: StopInstance) -> None:
        instances = self._instances.get(deployment, {})
        instance = instances.get(stop.instance_id)
        if instance is None:
            return
        if self._ended_with(instance) is not None:
            del instances[stop.instance_id]
            return
        ends_at = self._now() + timedelta(seconds=min(instance.script.stops_in_s, stop.grace_s))
        instance.stop_at = min(ends_at, instance.stop_at or ends_at)

    def observe(self, deployment: DeploymentRef) -> tuple[ObservedInstance, ...]:
        with self._call("observe"):
            instances = self._instances.get(deployment, {})
            for instance_id in [id_ for id_, instance in instances.items() if self._has_stopped(instance)]:
                del instances[instance_id]
            return tuple(self._observed(id_, instance) for id_, instance in sorted(instances.items()))

    def observe_many(
        self, deployments: Sequence[DeploymentRef]
    ) -> Mapping[DeploymentRef, tuple[ObservedInstance, ...]]:
        return {deployment: self.observe(deployment) for deployment in deployments}

    def _has_stopped(self, instance: _Instance) -> bool:
        return instance.stop_at is not None and self._now() >= instance.stop_at

    def _observed(self, instance_id: str, instance: _Instance) -> ObservedInstance:
        exit_code = self._ended_with(instance)
        phase = self._phase(instance, exit_code)
        is_listening = phase in (Phase.RUNNING, Phase.STOPPING)
        return ObservedInstance(
            instance_id=instance_id,
            revision=instance.revision,
            phase=phase,
            host="127.0.0.1" if is_listening else "",
            port=instance.port if is_listening else 0,
            pid=None if phase is Phase.EXITED else instance.port,
            started_at=instance.started_at,
            exit_code=exit_code,
            failure=instance.script.failure if phase is Phase.EXITED else None,
            reason=exit_reason(exit_code) if phase is Phase.EXITED else "",
        )

    def _phase(self, instance: _Instance, exit_code: int | None) -> Phase:
        if exit_code is not None:
            return Phase.EXITED
        if instance.stop_at is not None:
            return Phase.STOPPING
        is_running = self._now() >= instance.started_at + timedelta(seconds=instance.script.starts_in_s)
        return Phase.RUNNING if is_running else Phase.STARTING

    def _ended_with(self, instance: _Instance) -> int | None:
        if instance.crashed_with is not None:
            return instance.crashed_with
        script = instance.script
        end = instance.started_at + timedelta(seconds=script.starts_in_s + script.lives_s)
        return script.exit_code if script.exit_code is not None and self._now() >= end else None

    def remove(self, deployment: DeploymentRef) -> None:
        with self._call("remove"):
            self._instances.pop(deployment, None)
            self.staged = {(owner, revision) for owner, revision in self.staged if owner != deployment}

    def collect_garbage(self, *, grace_s: float = 3600.0) -> None:
        with self._call("collect_garbage"):
            pass  # nothing outlives its deployment here

    def logs(
        self,
        deployment: DeploymentRef,
        *,
        instance_id: str | None = None,
        container: str = "inference-server",
        since: datetime | None = None,
        lines: int | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        def found() -> list[LogLine]:
            return [
                line
                for line in self._logs.get((deployment, container), [])
                if (instance_id is None or line.instance_id == instance_id) and (since is None or line.at >= since)
            ]

        seen = len(found())
        yield from found()[:seen] if lines is None else found()[max(0, seen - lines) : seen]
        while follow:
            new = found()[seen:]
            seen += len(new)
            yield from new
            time.sleep(_FOLLOW_S)

    # For the test that drives it -------------------------------------------------------------------------------

    def crash(self, deployment: DeploymentRef, instance_id: str, *, exit_code: int = -9) -> None:
        """End an instance from outside."""
        self._instances[deployment][instance_id].crashed_with = exit_code

    def lose(self, deployment: DeploymentRef, instance_id: str) -> None:
        """Make an instance vanish, as when somebody removes a container by hand."""
        del self._instances[deployment][instance_id]

    def say(self, deployment: DeploymentRef, instance_id: str, message: str) -> None:
        """Let an instance log a line."""
        self._log(deployment, instance_id, "inference-server", message)

    def _log(self, deployment: DeploymentRef, instance_id: str, container: str, message: str) -> None:
        line = LogLine(at=self._now(), level="INFO", message=message, logger="azmlinfsrv", instance_id=instance_id)
        self._logs.setdefault((deployment, container), []).append(line)

    def _call(self, name: str) -> threading.RLock:
        self.calls.append(name)
        if self.errors:
            raise self.errors.pop(0)
        return self._lock
