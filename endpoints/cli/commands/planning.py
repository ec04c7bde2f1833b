"""`slipway plan` and `slipway apply`: documents of endpoints and deployments as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from endpoints.cli.applying import all_drafts, apply_drafts, ask_for_plan, sent_documents
from endpoints.cli.client import Json
from endpoints.cli.documents import Changes, Draft, Words
from endpoints.cli.session import open_session


def plan(files: Sequence[Sequence[str]], set_values: Words = None, prune: bool = False) -> list[Json]:
    """Say what applying documents would change: instances that restart, quota, live traffic. Nothing is changed.

    Files that a document names are sent to the studio, so that they can be compared.
    """
    drafts = _drafts(files, set_values)
    with open_session() as session:
        documents = sent_documents(session, all_drafts(session, drafts))
        return ask_for_plan(session, documents, prune=prune)


def apply(
    files: Sequence[Sequence[str]],
    set_values: Words = None,
    prune: bool = False,
    yes: bool = False,
    no_wait: bool = False,
) -> list[Json]:
    """Bring endpoints and deployments to what documents say; what is so already is left alone.

    With --prune, deployments of an endpoint that are in none of the documents are deleted once the split names them
    no more.
    """
    drafts = _drafts(files, set_values)
    with open_session() as session:
        return apply_drafts(session, drafts, prune=prune, is_confirmed=yes, is_waited_for=not no_wait)


def _drafts(files: Sequence[Sequence[str]], set_values: Words) -> list[Draft]:
    changes = Changes(set=set_values)
    return [Draft.from_file(file).changed(changes) for group in files for file in group]
