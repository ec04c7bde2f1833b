"""How values look on a page: icons, colours of deployments, ages and durations.

Formatting only: it knows no requests and asks the database nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags.lucide import lucide

register = template.Library()

NAMED_COLOURS = {"blue": "var(--series-blue)", "green": "var(--series-green)"}
NUMBERED_COLOURS = tuple(f"var(--series-{number})" for number in range(3, 9))


class Timed(Protocol):
    """Anything that began and ended."""

    started_at: datetime | None
    finished_at: datetime | None


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str, size: int = 16) -> SafeString:
    """An icon drawn inline; it says nothing to a screen reader, the word beside it does."""
    return mark_safe(lucide(name, size=size, aria_hidden="true"))  # noqa: S308  drawn from the icon set


@register.simple_tag(name="state")
def state_badge(state: str, text: str = "") -> SafeString:
    """A dot and a word. `state` picks the colour (see .state in components.css)."""
    return format_html('<span class="state" data-state="{}">{}</span>', state, text or state)


def series_colour(name: str, index: int) -> str:
    """The colour of a deployment: its own name's, or the next of the series by order of creation."""
    return NAMED_COLOURS.get(name, NUMBERED_COLOURS[index % len(NUMBERED_COLOURS)])


@register.filter
def colour(deployment: object) -> str:
    """The CSS colour of a deployment row."""
    return series_colour(getattr(deployment, "name", ""), getattr(deployment, "colour", 0))


@dataclass(frozen=True, slots=True)
class Share:
    """One part of a split."""

    name: str
    percent: int
    colour: str


class Coloured(Protocol):
    """What has a name and its place in the order of creation."""

    name: str
    colour: int


@register.simple_tag
def shares(traffic: Mapping[str, int], deployments: Iterable[Coloured]) -> list[Share]:
    """The split in the order of the deployments, those without a share included."""
    return [Share(one.name, traffic.get(one.name, 0), colour(one)) for one in deployments]


@register.filter
def get(mapping: Mapping[object, object], key: object) -> object:
    """`mapping[key]`, None where it is not there; templates cannot look up by a variable themselves."""
    return mapping.get(key)


@register.filter
def item(items: Sequence[object], index: int) -> object:
    """`items[index]`; templates cannot look up by a variable themselves."""
    return items[index]


def duration_words(seconds: float) -> str:
    """0.12 -> "0.1 s", 75 -> "1 min 15 s", 7380 -> "2 h 3 min"."""
    if seconds < 60:
        return f"{max(seconds, 0):.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


@register.filter
def duration(seconds: float | timedelta | None) -> str:
    if seconds is None:
        return ""
    return duration_words(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)


@register.filter
def took(timed: Timed) -> str:
    """How long a step, build or operation took; "" while it has not ended."""
    if timed.started_at is None or timed.finished_at is None:
        return ""
    return duration_words((timed.finished_at - timed.started_at).total_seconds())


class Lasting(Protocol):
    """Anything that was asked for and came to an end."""

    created_at: datetime
    finished_at: datetime | None


@register.filter
def lasted(lasting: Lasting) -> str:
    """From being asked for to the end; "" while there is none."""
    return duration_words((lasting.finished_at - lasting.created_at).total_seconds()) if lasting.finished_at else ""


class Starting(Protocol):
    """An instance: begun, and ready some time later."""

    created_at: datetime
    ready_at: datetime | None


@register.filter
def ready_after(starting: Starting) -> str:
    """How long it took to become ready; "" while it has not."""
    return duration_words((starting.ready_at - starting.created_at).total_seconds()) if starting.ready_at else ""


@register.filter
def from_epoch(seconds: float) -> datetime:
    """Seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def age_words(age: timedelta) -> str:
    """The age in its largest unit: "just now", "5 min ago", "3 h ago", "12 d ago"."""
    seconds = age.total_seconds()
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{int(seconds // unit_s)} {unit} ago"
    return "just now"


@register.filter
def ago(at: datetime | None) -> SafeString | str:
    """A time as its age; the exact time is its title."""
    if at is None:
        return "never"
    age = timezone.now() - at
    words = age_words(age) if age < timedelta(days=30) else f"{at:%Y-%m-%d}"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S} UTC", words)


@register.simple_tag
def countdown(ends_at: datetime) -> SafeString:
    """How long until then; the page counts down from it, and without scripts it is what it was when it was drawn."""
    left = (ends_at - timezone.now()).total_seconds()
    words = f"{duration_words(left)} left" if left > 0 else "its time is over"
    return format_html(
        '<time datetime="{}" title="{}" data-countdown>{}</time>',
        ends_at.isoformat(),
        f"until {ends_at:%Y-%m-%d %H:%M:%S} UTC",
        words,
    )


@register.filter
def level_word(level: str) -> str:
    """A log level in at most five letters."""
    return {"WARNING": "WARN", "CRITICAL": "CRIT"}.get(level, level[:5])


@register.filter
def short_digest(digest: str) -> str:
    """The first characters of a digest, enough to tell it from others at a glance."""
    return digest.removeprefix("sha256:")[:12]
