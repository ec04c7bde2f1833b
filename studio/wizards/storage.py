"""Keeps a wizard's answers in a draft row instead of the session, so that they survive signing out.

A draft that holds no answer yet is not saved: looking at the first step leaves nothing behind.
"""

from __future__ import annotations

import copy
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from formtools.wizard.storage.base import BaseStorage

from studio.wizards.models import DeploymentDraft


class DraftStorage(BaseStorage):  # type: ignore[misc]
    """formtools' storage over one `DeploymentDraft`; the view hands the draft in as `request.draft`."""

    def __init__(self, prefix: str, request: HttpRequest | None = None, file_storage: object = None) -> None:
        super().__init__(prefix, request, file_storage)
        self.draft: DeploymentDraft = request.draft  # type: ignore[union-attr]
        self._before = copy.deepcopy(self.draft.answers)
        if not self.draft.answers:
            self.init_data()

    @property
    def data(self) -> dict[str, Any]:
        return self.draft.answers  # type: ignore[no-any-return]

    @data.setter
    def data(self, value: dict[str, Any]) -> None:
        self.draft.answers = value

    def reset(self) -> None:
        """The wizard is done: the draft goes."""
        if not self.draft._state.adding:
            self.draft.delete()
        self.init_data()

    def update_response(self, response: HttpResponseBase) -> None:
        super().update_response(response)
        has_answers = bool(self.data[self.step_data_key])
        if has_answers and self.data != self._before:
            self.draft.save()
