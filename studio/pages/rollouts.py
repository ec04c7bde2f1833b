"""Rolling out: from one deployment to another by hand, step by step, or guarded by the studio; and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from endpoints import selectors, services
from endpoints.control.canary import split_at
from endpoints.models import OnlineDeployment, OnlineEndpoint, Rollout
from endpoints.spec.errors import Conflict, Forbidden, Invalid
from endpoints.spec.states import RolloutState
from studio.access import actions
from studio.access.models import User
from studio.access.policy import require
from studio.forms.rollouts import RolloutForm, ShiftForm
from studio.pages.answers import STOP_POLLING, Request, go, page, wants_fragment
from studio.pages.endpoints import frame
from studio.pages.invoke import sample_request
from studio.pages.lists import page_of
from studio.plots import plots_of
from studio.templatetags.look import colour

TEMPLATE, ONE = "pages/endpoints/rollout.html", "pages/endpoints/rollout_one.html"
USUAL_SHARES = (10, 50, 100)
_VERBS = {
    "pause": services.pause_rollout,
    "resume": services.resume_rollout,
    "promote": services.promote_rollout,
    "abort": services.abort_rollout,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One deployment's figures of one stretch."""

    deployment: OnlineDeployment
    stretch: str
    measured: Any


@require_GET
def rollout(request: Request, name: str) -> HttpResponse:
    """The walk-through, or the rollout under way; `?old=&new=` choose the two, `#live` is the part that follows."""
    context = _context(request, name, request.GET)
    answer = page(request, TEMPLATE, context, fragment="live")
    if wants_fragment(request) and context["watched"] and not context["running"]:
        answer.status_code = STOP_POLLING
    return answer


def _context(request: Request, name: str, asked: Mapping[str, str]) -> dict[str, object]:
    """asked: which two deployments are meant, as `old` and `new`."""
    context = frame(request.user, name, "rollout")
    endpoint = selectors.get_endpoint(request.user, name)
    deployments = [one for one in selectors.deployments_of(request.user, name) if not one.deletion_requested_at]
    rollouts = selectors.rollouts_for(request.user, name)
    running = rollouts.filter(finished_at=None).first()
    watched = _watched(request, rollouts)
    shown = running or watched
    old, new = _chosen(asked, endpoint, deployments, shown)
    return {
        **context,
        "deployments": deployments,
        "old": old,
        "new": new,
        "running": running,
        "watched": watched,
        "shown": shown,
        **_live(request.user, endpoint, old, new, shown),
        **({} if wants_fragment(request) else _walk(request.user, endpoint, old, new)),
        "page": page_of(request, rollouts),
        "plan_form": RolloutForm(),
        "shares": USUAL_SHARES,
    }


def _watched(request: Request, rollouts: Any) -> Rollout | None:
    """The rollout an open page has been following, so that it is shown its end."""
    text = request.GET.get("following", "")
    found: Rollout | None = rollouts.filter(number=int(text)).first() if text.isdecimal() and len(text) < 9 else None
    return found


def _chosen(
    asked: Mapping[str, str], endpoint: OnlineEndpoint, deployments: Sequence[OnlineDeployment], shown: Rollout | None
) -> tuple[OnlineDeployment | None, OnlineDeployment | None]:
    """The old and the new deployment: a rollout's own, those asked for, else who has most traffic and the newest."""
    rows = {one.name: one for one in deployments}
    if shown:
        return rows.get(shown.from_deployment), rows.get(shown.to_deployment)
    by_share = sorted(deployments, key=lambda one: -endpoint.traffic.get(one.name, 0))
    old = rows.get(asked.get("old", "")) or next(iter(by_share), None)
    others = [one for one in deployments if old and one.name != old.name]
    named = rows.get(asked.get("new", ""))
    new = named if named in others else next(iter(sorted(others, key=lambda one: -one.pk)), None)
    # A half-way shift goes from the elder to the younger, whoever has more by now.
    if old and new and not named and endpoint.traffic.get(new.name) and old.pk > new.pk:
        old, new = new, old
    return old, new


def _live(
    user: User,
    endpoint: OnlineEndpoint,
    old: OnlineDeployment | None,
    new: OnlineDeployment | None,
    shown: Rollout | None,
) -> dict[str, object]:
    """Both side by side: the last five minutes, and since the stage or the split began."""
    rows = [one for one in (old, new) if one]
    since = endpoint.traffic_since
    stages = list(shown.stages.all()) if shown else []
    if shown and stages:
        since = stages[min(shown.stage, len(stages) - 1)].started_at or since
    found: dict[str, dict[str, Any]] = {}
    try:
        found = selectors.side_by_side(user, endpoint.name, tuple(one.name for one in rows), since=since)
    except Forbidden:
        rows = []
    return {
        "columns": [
            Column(one, stretch, found[one.name][stretch])
            for stretch in ("recent", "stage")
            for one in rows
            if stretch in found[one.name]
        ],
        "since": since,
        "stages": stages,
        "gates": gate_texts(shown) if shown else [],
    }


def gate_texts(row: Rollout) -> list[str]:
    """Its gates as people read them: `ErrorPercentage at most 1`."""
    words = {
        "max": "at most {}",
        "min": "at least {}",
        "max_ratio": f"at most {{}} times {row.from_deployment}'s",
        "max_increase": f"at most {{}} above {row.from_deployment}'s",
    }
    return [
        f"{gate['metric']} {' and '.join(words[name].format(f'{gate[name]:g}') for name in words if name in gate)}"
        for gate in row.document["gates"]
    ]


def _walk(
    user: User, endpoint: OnlineEndpoint, old: OnlineDeployment | None, new: OnlineDeployment | None
) -> dict[str, object]:
    """Which steps are behind: read off the records, so that it is right whoever did them."""
    share = endpoint.traffic.get(new.name, 0) if new else 0
    left = endpoint.traffic.get(old.name, 0) if old else 0
    has_new = bool(new and new.ready_instances and not new.failure)
    return {
        "share": share,
        "left": left,
        "together": share + left,
        "is_ready": has_new,
        "steps": [
            ("Create the new deployment", "done" if has_new else "now"),
            ("Test it by its name", "done" if share else "now" if has_new else ""),
            ("Shift the traffic", "done" if share and not left else "now" if has_new else ""),
            ("Delete the old deployment", "now" if share and not left else ""),
        ],
        "sample": sample_request(user, new) if new and has_new else "",
        "shift_form": ShiftForm(initial={"percent": min(25, share + left) or None}),
    }


@require_POST
def shift(request: Request, name: str) -> HttpResponse:
    """Give the new deployment that share, taken from the old one; 0 is the way back."""
    require(request.user, actions.ENDPOINTS_WRITE, name)
    endpoint = selectors.get_endpoint(request.user, name)
    old, new = request.POST.get("old", ""), request.POST.get("new", "")
    form = ShiftForm(request.POST)
    if form.is_valid():
        try:
            services.set_traffic(
                request.user, name=name, traffic=split_at(endpoint.traffic, old, new, form.cleaned_data["percent"])
            )
        except (Invalid, Conflict) as error:
            form.add_error(None, error.message)
        except ValueError:
            together = endpoint.traffic.get(old, 0) + endpoint.traffic.get(new, 0)
            form.add_error("percent", f"{old} and {new} have {together} percent together.")
        else:
            return go(request, f"{reverse('endpoints:rollout', args=[name])}?old={old}&new={new}")
    context = _context(request, name, {"old": old, "new": new}) | {"shift_form": form}
    return page(request, TEMPLATE, context, status=422)


@require_POST
def start(request: Request, name: str) -> HttpResponse:
    """Start a guarded rollout; what is refused stands at its row, and the rows keep what was typed."""
    require(request.user, actions.ENDPOINTS_WRITE, name)
    endpoint = selectors.get_endpoint(request.user, name)
    old, new = request.POST.get("old", ""), request.POST.get("new", "")
    form = RolloutForm(request.POST)
    if form.is_valid():
        try:
            services.start_rollout(request.user, document=form.document(endpoint=endpoint.name, old=old, new=new))
        except (Invalid, Conflict) as error:
            form.add_refusal(error)
        else:
            return go(request, reverse("endpoints:rollout", args=[name]))
    context = _context(request, name, {"old": old, "new": new}) | {"plan_form": form, "is_plan_open": True}
    return page(request, TEMPLATE, context, status=422)


@require_GET
def rollout_one(request: Request, name: str, number: int) -> HttpResponse:
    """How a rollout went: its stages with their figures, the evidence where it was taken back, its document."""
    context = frame(request.user, name, "rollout")
    row = selectors.get_rollout(request.user, name, number)
    colours = {one.name: colour(one) for one in row.endpoint.deployments.all()}
    stages = [
        {"row": stage, "figures": stage.figures, "plots": plots_of((stage.figures or {}).get("chart"), colours)}
        for stage in row.stages.all()
        if stage.started_at
    ]
    context |= {
        "rollout": row,
        "stages": stages,
        "evidence": selectors.evidence_for(request.user, row),
        "colours": colours,
        "document": yaml.safe_dump(row.document, sort_keys=False),
        "state_word": state_word(row),
    }
    return page(request, ONE, context)


def state_word(row: Rollout) -> str:
    """The colour of its state."""
    return {RolloutState.ROLLED_BACK: "bad", RolloutState.ENDED: "warn", RolloutState.PAUSED: "warn"}.get(
        RolloutState(row.state), row.state
    )


@require_POST
def act(request: Request, name: str, number: int, verb: str) -> HttpResponse:
    """Pause, resume, promote or abort the rollout under way."""
    require(request.user, actions.ENDPOINTS_WRITE, name)
    try:
        _VERBS[verb](request.user, endpoint=name, number=number)
    except Conflict as refused:
        messages.error(request, refused.message)
    return go(request, f"{reverse('endpoints:rollout', args=[name])}?following={number}")
