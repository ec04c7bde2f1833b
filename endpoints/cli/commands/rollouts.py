"""`slipway online-endpoint rollout …`"""

from __future__ import annotations

import time
from collections.abc import Iterator

from endpoints.cli.client import Json
from endpoints.cli.documents import Changes, Draft, Words
from endpoints.cli.failures import CommandFailed, StudioUnreachable
from endpoints.cli.session import Session, open_session
from endpoints.spec.rollout_document import RolloutDocument
from endpoints.spec.states import RolloutState, StepState

_OUTCOMES = {StepState.SUCCEEDED: "ok", StepState.FAILED: "failed", StepState.SKIPPED: "skipped"}
_LOOK_EVERY_S = 1.0
# A studio that restarts goes on with the rollout; so do we with watching it.
_PATIENCE_S = 60.0
_SHOWN_LINES = 10


def start(file: str, name: str | None = None, set_values: Words = None, no_wait: bool = False) -> Json:
    """Start a rollout and watch it to its end. Interrupting the watching does not interrupt the rollout."""
    draft = Draft.from_file(file).changed(Changes(set=set_values)).with_values(endpoint_name=name)
    document = draft.read(RolloutDocument)
    with open_session() as session, draft.lines_told():
        started: Json = session.client.post(*_rollouts(document.endpoint_name), json=document.to_json())
        return started if no_wait else _watched(session, started)


def show(name: str, number: int | None = None) -> Json:
    """Show a rollout: its stages, what is measured now, and the evidence where it was taken back."""
    with open_session() as session:
        return _one(session, name, number)


def list_(name: str) -> list[Json]:
    """List the endpoint's rollouts, newest first."""
    with open_session() as session:
        return session.client.list_all(*_rollouts(name))


def pause(name: str, number: int | None = None) -> Json:
    """Hold the present stage; the gates stay on guard."""
    return _asked("pause", name, number)


def resume(name: str, number: int | None = None) -> Json:
    """Go on where it was paused."""
    return _asked("resume", name, number)


def promote(name: str, number: int | None = None) -> Json:
    """Go on to the next stage now, whatever this one still lacks."""
    return _asked("promote", name, number)


def abort(name: str, number: int | None = None) -> Json:
    """Return to the split that stood before."""
    return _asked("abort", name, number)


def _asked(verb: str, name: str, number: int | None) -> Json:
    with open_session() as session:
        number = number or _one(session, name, None)["number"]
        answer: Json = session.client.post(*_rollouts(name), str(number), verb)
        return answer


def _rollouts(name: str) -> tuple[str, ...]:
    return ("online-endpoints", name.lower(), "rollouts")


def _one(session: Session, name: str, number: int | None) -> Json:
    if number is None:
        newest = session.client.get(*_rollouts(name), limit=1)
        if not newest:
            raise CommandFailed(f"The endpoint {name!r} has no rollout yet.")
        number = newest[0]["number"]
    found: Json = session.client.get(*_rollouts(name), str(number))
    return found


# Watching ----------------------------------------------------------------------------------------------------


def _watched(session: Session, rollout: Json) -> Json:
    """The rollout at its end. Raises CommandFailed with the evidence where it was taken back."""
    told = set[int]()
    with session.terminal:
        while True:
            _tell(session, rollout, told)
            if rollout["finished_at"]:
                break
            time.sleep(_LOOK_EVERY_S)
            rollout = _look(session, rollout)
    if rollout["state"] != RolloutState.SUCCEEDED:
        raise CommandFailed(f"{rollout['state']}: {rollout['text']}", hints=list(_evidence(rollout)))
    session.terminal.say(rollout["text"])
    return rollout


def _look(session: Session, rollout: Json) -> Json:
    waited_s = 0.0
    while True:
        try:
            return _one(session, rollout["endpoint_name"], rollout["number"])
        except StudioUnreachable:
            if waited_s >= _PATIENCE_S:
                raise
            session.terminal.show("the studio does not answer; waiting for it")
            time.sleep(_LOOK_EVERY_S)
            waited_s += _LOOK_EVERY_S


def _tell(session: Session, rollout: Json, told: set[int]) -> None:
    for stage in rollout["stages"]:
        if stage["state"] in _OUTCOMES and stage["number"] not in told:
            told.add(stage["number"])
            session.terminal.mark(_OUTCOMES[stage["state"]], f"{stage['title']}: {stage['detail'] or 'skipped'}")
    if not rollout["finished_at"]:
        running = rollout["stages"][rollout["stage"]]
        session.terminal.show(f"{running['title']}  {_numbers(rollout)}  {rollout['text']}")


def _numbers(rollout: Json) -> str:
    """Both deployments since the stage began, in a few words."""
    words = []
    for name, found in (rollout.get("now") or {}).items():
        since = found.get("stage") or found["recent"]
        words.append(f"{name} {since['requests']} requests, {_told(since['error_percent'])} % errors")
    return " · ".join(words)


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _evidence(rollout: Json) -> Iterator[str]:
    """Gates, both sides and the log, as lines for a reader."""
    evidence = rollout.get("evidence")
    if not evidence:
        return
    for gate in evidence["gates"]:
        limit = "" if gate["limit"] is None else f", limit {_told(gate['limit'])}"
        yield f"{gate['verdict']:>8}  {gate['metric']}: {_told(gate['value'])}{limit}, old {_told(gate['old_value'])}"
    window = evidence["window"]
    for word, side in (("new", rollout["to_deployment"]), ("old", rollout["from_deployment"])):
        found = window[word]
        codes = ", ".join(f"{count} answers {code}" for code, count in found["codes"].items()) or "no requests"
        yield f"{side}: {codes}; p50 {_told(found['p50_ms'])} ms, p99 {_told(found['p99_ms'])} ms"
    if evidence["log"]:
        yield f"Last lines of {rollout['to_deployment']}:"
        yield from (f"  | {line}" for line in evidence["log"][-_SHOWN_LINES:])
