"""Documents applied as a whole: planned by the studio, shown, then carried out step by step in the same order.

Knows documents of today only; those of 2021 are taken apart in `drafts_of`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from knack.prompting import NoTTYException, prompt_y_n

from endpoints.cli.client import Json
from endpoints.cli.documents import Draft, FileSender, check_script
from endpoints.cli.failures import CommandFailed, UsageError
from endpoints.cli.session import Session
from endpoints.cli.tables import text_of
from endpoints.spec.documents import OnlineDeploymentDocument, OnlineEndpointDocument
from endpoints.spec.format_2021 import convert_deployment, convert_endpoint, holds_deployments
from endpoints.spec.ordering import in_order, is_deployment


def drafts_of(draft: Draft) -> tuple[list[Draft], tuple[str, ...]]:
    """The documents of today in one as written, and what there is to say about the conversion."""
    if holds_deployments(draft.source):
        converted = convert_endpoint(draft.source)
        sources = (converted.endpoint, *converted.deployments)
        return [dataclasses.replace(draft, source=source) for source in sources], converted.notes
    if is_deployment(draft.source.values):
        source, notes = convert_deployment(draft.source)
        return [dataclasses.replace(draft, source=source)], notes
    return [draft], ()


def all_drafts(session: Session, drafts: Sequence[Draft]) -> list[Draft]:
    """The documents of today in all of them; the notes are told."""
    found: list[Draft] = []
    for draft in drafts:
        documents, notes = drafts_of(draft)
        found += documents
        for note in notes:
            session.terminal.say(f"Note: {note}")
    return found


def apply_drafts(
    session: Session, drafts: Sequence[Draft], *, prune: bool, is_confirmed: bool, is_waited_for: bool
) -> list[Json]:
    """Apply what is written, of today or of 2021; returns the plan that was carried out."""
    documents = sent_documents(session, all_drafts(session, drafts))
    return apply_documents(session, documents, prune=prune, is_confirmed=is_confirmed, is_waited_for=is_waited_for)


def sent_documents(session: Session, drafts: Sequence[Draft]) -> list[Json]:
    """The documents with their files at the studio. All are read before anything is sent."""
    read = [_read(draft) for draft in drafts]
    sent = []
    for draft, document in zip(drafts, read, strict=True):
        with draft.lines_told():
            if isinstance(document, OnlineDeploymentDocument):
                sent.append(FileSender(session.uploader, draft.folder).deployment(document).to_json())
            else:
                wanted = document.to_json()
                sent.append({key: value for key, value in wanted.items() if key in draft.source.values})
    return sent


def _read(draft: Draft) -> OnlineDeploymentDocument | OnlineEndpointDocument:
    with draft.lines_told():
        if not is_deployment(draft.source.values):
            return draft.read(OnlineEndpointDocument)
        document = draft.read(OnlineDeploymentDocument)
        check_script(document, draft.folder)
        return document


def ask_for_plan(session: Session, documents: Sequence[Json], *, prune: bool) -> list[Json]:
    """What applying the documents would do, told as well as returned."""
    planned: list[Json] = session.client.post("plan", json={"documents": list(documents), "prune": prune})
    for one in planned:
        for line in _told(one):
            session.terminal.say(line)
    return planned


def apply_documents(
    session: Session, documents: Sequence[Json], *, prune: bool, is_confirmed: bool, is_waited_for: bool
) -> list[Json]:
    """Plan, confirm what is deleted, and carry out what differs; returns the plan.

    Stops at the first step that fails: what was done before it stays, and applying again goes on from there.
    """
    planned = ask_for_plan(session, documents, prune=prune)
    if all(one["action"] == "nothing" for one in planned):
        session.terminal.say("Nothing to change.")
        return planned
    steps = in_order(documents)
    removals = planned[len(steps) :]
    _require_order(planned, is_waited_for=is_waited_for)
    if removals and not is_confirmed:
        _confirm(removals)
    for document, one in zip(steps, planned, strict=False):
        if one["action"] != "nothing":
            session.terminal.say(f"{_title(one)}:")
            session.finish(_carry_out(session, document, one), is_waited_for=is_waited_for)
    for one in removals:
        session.terminal.say(f"{_title(one)}: deleting")
        path = ("online-endpoints", one["endpoint"], "deployments", one["deployment"])
        session.finish(session.client.delete(*path), is_waited_for=is_waited_for)
    return planned


def _require_order(planned: Sequence[Json], *, is_waited_for: bool) -> None:
    new = {one["endpoint"] for one in planned if one["deployment"] and one["action"] == "create"}
    shifted = {
        one["endpoint"] for one in planned if any(each["field"].startswith("traffic") for each in one["changes"])
    }
    if not is_waited_for and new & shifted:
        raise UsageError("--no-wait cannot be used here: traffic is set when the new deployment is ready.")


def _confirm(removals: Sequence[Json]) -> None:
    names = ", ".join(f"{one['endpoint']}/{one['deployment']}" for one in removals)
    question = f"Delete what left the documents ({names})?"
    try:
        if prompt_y_n(question, default="n"):
            return
    except NoTTYException:
        raise UsageError(f"{question} Say so with --yes; there is no terminal to ask on.") from None
    raise CommandFailed("Nothing was changed.")


def _carry_out(session: Session, document: Mapping[str, object], planned: Json) -> Any:
    endpoint = ("online-endpoints", planned["endpoint"])
    is_new = planned["action"] == "create"
    if not planned["deployment"]:
        send = session.client.put if is_new else session.client.patch
        return send(*endpoint, json=dict(document))
    if is_new:
        return session.client.post(*endpoint, "deployments", json=dict(document))
    return session.client.put(*endpoint, "deployments", planned["deployment"], json=dict(document))


def _title(planned: Json) -> str:
    if planned["deployment"]:
        return f"deployment {planned['endpoint']}/{planned['deployment']}"
    return f"endpoint {planned['endpoint']}"


def _told(planned: Json) -> Iterator[str]:
    """The plan of one document, for a reader."""
    what = _title(planned)
    marks = {"create": f"+ {what}", "update": f"~ {what}", "delete": f"- {what}: left the documents, is deleted"}
    yield marks.get(planned["action"], f"= {what}: nothing to change")
    for change in planned["changes"]:
        yield f"    {change['field']}: {text_of(change['before'])} -> {text_of(change['after'])}"
    if replaced := planned["replaced"]:
        yield f"    restarts {len(replaced)}: {', '.join(replaced)}"
    for word in ("started", "stopped"):
        if planned[word]:
            yield f"    {word}: {planned[word]} instances"
    if planned["quota"]:
        yield f"    quota: {planned['quota']}"
    for effect in planned["effects"]:
        yield f"    traffic: {effect}"
