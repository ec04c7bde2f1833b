"""What admins set for the whole studio: limits with their use, the reservation, the pool, logs, the audit log."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.forms import BoundField
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from endpoints import selectors, services
from endpoints.models import SettingChange
from endpoints.selectors import SettingState
from endpoints.spec.errors import Invalid, NotFound
from endpoints.spec.studio_settings import SETTINGS, Group
from studio.access.models import User
from studio.access.policy import grants_of, require
from studio.forms.fields import add_domain_errors
from studio.forms.studio_settings import SettingsForm
from studio.pages.answers import Request, go, page
from studio.pages.lists import page_of

SHOWN_CHANGES = 6
INTRO = {
    Group.LIMITS: "How much there may be of each thing. What is there stays when a limit is lowered.",
    Group.QUOTA: "How cores are counted. The cores themselves are given by family, on the quota page.",
    Group.POOL: "Cores lent for a time to deployments whose family has none left; its size is set on the quota page.",
    Group.LOGS: "Logs outlive their instances. The oldest go first, and the log view says what was dropped.",
    Group.AUDIT: "Who did what. Nothing is taken out of it by hand.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A setting on the page. used: of a limit with a sum, else None."""

    state: SettingState
    field: BoundField
    used: int | None
    is_writable: bool

    @property
    def share(self) -> float:
        """Percent of the limit in use."""
        return round(min(100.0, 100 * (self.used or 0) / max(self.state.value, 1)), 1)


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    intro: str
    rows: tuple[Row, ...]


@require_http_methods(["GET", "POST"])
def settings_page(request: Request) -> HttpResponse:
    """A POST saves all that was changed, or nothing."""
    states = selectors.studio_settings(request.user)
    writable = _writable(request.user)
    form = SettingsForm(request.POST or None, states=states, writable=writable)
    if request.method == "POST" and not writable:
        require(request.user, services.action_to_change(next(iter(SETTINGS.values()))))
    if form.is_valid():
        try:
            changes = services.set_studio_settings(
                request.user, values=form.changed(), note=form.cleaned_data.get("note", "")
            )
        except Invalid as error:
            add_domain_errors(form, error)
        else:
            messages.success(request, "Settings saved." if changes else "Nothing was changed.")
            return go(request, reverse("settings"))
    context = {
        "form": form,
        "sections": _sections(request.user, states, form, writable),
        "may_write": bool(writable),
        "changes": [_told(change) for change in selectors.setting_changes(request.user)[:SHOWN_CHANGES]],
    }
    return page(request, "pages/settings/overview.html", context, status=422 if form.is_bound else 200)


def _writable(user: User) -> frozenset[str]:
    grants = grants_of(user)
    return frozenset(name for name, one in SETTINGS.items() if grants.allows(services.action_to_change(one)))


def _sections(user: User, states: list[SettingState], form: SettingsForm, writable: frozenset[str]) -> list[Section]:
    used = {usage.name: usage.used for usage in selectors.limits_usage(user)}
    rows = [
        Row(state, form[state.setting.name], used.get(state.setting.name), state.setting.name in writable)
        for state in states
    ]
    return [
        Section(group.value, INTRO[group], tuple(row for row in rows if row.state.setting.group is group))
        for group in Group
    ]


@require_POST
def reset(request: Request, name: str) -> HttpResponse:
    """Back to what the studio was started with."""
    if name not in SETTINGS:
        raise NotFound(f"There is no setting {name!r}.")
    services.set_studio_settings(request.user, values={name: None})
    messages.success(request, f"{SETTINGS[name].title}: back to the default.")
    return go(request, reverse("settings"))


@dataclass(frozen=True, slots=True)
class Told:
    """A change as a line."""

    title: str
    change: SettingChange


def _told(change: SettingChange) -> Told:
    return Told(SETTINGS[change.name].title if change.name in SETTINGS else change.name, change)


@require_GET
def history(request: Request) -> HttpResponse:
    """Every change of a setting."""
    rows = page_of(request, selectors.setting_changes(request.user))
    context = {"page": rows, "changes": [_told(change) for change in rows]}
    return page(request, "pages/settings/history.html", context)
