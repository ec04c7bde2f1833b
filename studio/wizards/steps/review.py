"""Last step: nothing to fill in, everything to look at."""

from __future__ import annotations

from studio.wizards.steps.base import Step


class ReviewStep(Step):
    """Its submission is the word to create."""
