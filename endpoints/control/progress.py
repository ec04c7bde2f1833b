"""What a person sees while a change goes through: the steps of its operation, written only when they change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from endpoints.control.clock import Clock
from endpoints.control.observe import Sight
from endpoints.control.settling import progress_of
from endpoints.models import OnlineDeployment
from endpoints.spec.states import InstanceState, StepState

_SERVING = (InstanceState.READY, InstanceState.UNREADY)
_LIVE = (InstanceState.STARTING, *_SERVING)


class StepWriter:
    """Remembers what it wrote, for looks come every few milliseconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._written: dict[tuple[int, str], tuple[StepState, str | None]] = {}

    def run(self, deployment: OnlineDeployment, key: str, detail: str | None = None) -> None:
        self._write(deployment, key, StepState.RUNNING, detail)

    def finish(self, deployment: OnlineDeployment, key: str, detail: str | None = None) -> None:
        self._write(deployment, key, StepState.SUCCEEDED, detail)

    def show(self, deployment: OnlineDeployment, sights: Sequence[Sight]) -> None:
        """Bring the steps up to what a look has found."""
        if deployment.deletion_requested_at or deployment.stopped_at:
            self._show_deletion(deployment, sights)
        elif deployment.observed_generation < deployment.generation:
            self._show_change(deployment, sights)

    def _show_change(self, deployment: OnlineDeployment, sights: Iterable[Sight]) -> None:
        states = [sight.row.state for sight in sights if sight.row.revision == deployment.revision]
        live = sum(state in _LIVE for state in states)
        if not live:
            return
        self.finish(deployment, "environment")
        self.finish(deployment, "staged")
        self._count(deployment, "started", live)
        self._count(deployment, "ready", states.count(InstanceState.READY))

    def _count(self, deployment: OnlineDeployment, key: str, number: int) -> None:
        count = deployment.instance_count
        detail = f"{number} of {count}"
        self._write(deployment, key, StepState.SUCCEEDED if number == count else StepState.RUNNING, detail)

    def _show_deletion(self, deployment: OnlineDeployment, sights: Iterable[Sight]) -> None:
        rows = [sight.row for sight in sights if not sight.row.ended_at]
        if any(row.state in _SERVING or not row.stop_asked_at for row in rows):
            self.run(deployment, "drained")
            return
        self.finish(deployment, "drained")
        if rows:
            self.run(deployment, "stopped", f"{len(rows)} to go")
        else:
            self.finish(deployment, "stopped", "")

    def _write(self, deployment: OnlineDeployment, key: str, state: StepState, detail: str | None) -> None:
        mark = (deployment.generation, key)
        if self._written.get(mark) == (state, detail):
            return
        progress_of(deployment).step(key, state, detail, now=self._clock.now())
        self._written[mark] = (state, detail)
