"""How measured numbers look: three digits, units beside them, and small lines drawn inline."""

from __future__ import annotations

from collections.abc import Sequence

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

WIDTH, HEIGHT = 110, 24


@register.filter
def figure(value: float | None) -> str:
    """1284.4 -> "1,284", 8.24 -> "8.2", 0.021 -> "0.02"; a dash for nothing."""
    if value is None:
        return "\N{EN DASH}"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 1 else f"{value:.2f}" if value >= 0.005 else f"{value:.1g}"


@register.filter
def signed(value: float | None) -> str:
    """A difference with its sign: 8.24 -> "+8.2"."""
    if value is None:
        return figure(value)
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{figure(abs(value))}"  # noqa: RUF001


@register.filter
def milliseconds(microseconds: int) -> float:
    return microseconds / 1000


@register.filter
def step_words(seconds: int) -> str:
    """10 -> "10 s", 300 -> "5 min", 14400 -> "4 h"."""
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h"


@register.simple_tag
def spark(values: Sequence[int] | None, label: str = "") -> SafeString | str:
    """Requests by minute as a line; nothing where there were none."""
    if not values or not any(values):
        return format_html('<span class="hint">{}</span>', "none")
    top = max(values)
    step = WIDTH / max(len(values) - 1, 1)
    points = " ".join(
        f"{index * step:.1f},{HEIGHT - 2 - value / top * (HEIGHT - 4):.1f}" for index, value in enumerate(values)
    )
    text = f"{label}: {sum(values):,} requests in the last hour, {top:,} in the busiest minute"
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}"><title>{}</title>'
        '<polyline points="{}"/></svg>',
        *(WIDTH, HEIGHT, WIDTH, HEIGHT, text, text, points),
    )
