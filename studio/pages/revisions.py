"""A deployment's revisions: who changed what and when, any two side by side, and the way back to one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from endpoints import selectors, services
from endpoints.models import DeploymentRevision
from endpoints.spec.errors import Conflict, Invalid, OutOfQuota
from studio.access import actions
from studio.access.policy import require
from studio.pages.answers import Request, go, page
from studio.pages.deployments import frame


@require_GET
def revision_list(request: Request, endpoint: str, name: str) -> HttpResponse:
    """`?from=1&to=3` sets two beside each other."""
    user = request.user
    context = frame(user, endpoint, name, "revisions")
    deployment = selectors.get_deployment(user, endpoint, name)
    entries = selectors.revision_history(user, deployment)
    rows = {entry.row.number: entry.row for entry in entries}
    before, after = (_chosen(request, word, rows) for word in ("from", "to"))
    context |= {"entries": entries, "before": before, "after": after}
    if before and after:
        context["changes"] = selectors.revision_changes(user, deployment, before=before.number, after=after.number)
    return page(request, "pages/deployments/revisions.html", context)


def _chosen(request: Request, word: str, rows: dict[int, DeploymentRevision]) -> DeploymentRevision | None:
    text = request.GET.get(word, "")
    return rows.get(int(text)) if text.isdecimal() and len(text) < 10 else None


@require_http_methods(["GET", "POST"])
def revision_roll_back(request: Request, endpoint: str, name: str, number: int) -> HttpResponse:
    """Ask once, with what will be different; then roll."""
    user = request.user
    require(user, actions.DEPLOYMENTS_WRITE, endpoint)
    deployment = selectors.get_deployment(user, endpoint, name)
    goal = selectors.get_revision(user, deployment, number)
    refusal = ""
    if request.method == "POST":
        try:
            services.roll_back_deployment(user, endpoint=endpoint, name=name, revision=number)
        except (Invalid, Conflict, OutOfQuota) as error:
            refusal = error.message
        else:
            messages.success(request, f"Rolling {endpoint} / {name} back to revision {number}.")
            return go(request, reverse("deployments:detail", args=[endpoint, name]))
    changes = selectors.revision_changes(user, deployment, before=deployment.revision, after=goal.number)
    context = {
        "title": f"Roll {name} back to revision {number}?",
        "intro": "Instances are replaced a few at a time; the old ones answer until the new ones are ready.",
        "points": [f"{each.field}: {shown(each.before)} becomes {shown(each.after)}" for each in changes],
        "refusal": refusal,
        "submit": f"Roll back to revision {number}",
        "back": reverse("deployments:revisions", args=[endpoint, name]),
    }
    return page(request, "pages/form.html", context, fragment="form", status=409 if refusal else 200)


def shown(value: object) -> str:
    """A field's value in a sentence."""
    return "nothing" if value is None else str(value)
