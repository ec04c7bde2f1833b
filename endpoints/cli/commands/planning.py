"""`slipway plan`: what documents would change, before they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from endpoints.cli.client import Json
from endpoints.cli.documents import Changes, Draft, FileSender, Words, check_script
from endpoints.cli.session import Session, open_session
from endpoints.cli.tables import text_of
from endpoints.spec.documents import OnlineDeploymentDocument, OnlineEndpointDocument


def plan(files: Sequence[Sequence[str]], set_values: Words = None) -> list[Json]:
    """Say what applying documents would change: instances that restart, quota, live traffic. Nothing is changed.

    Files that a document names are sent to the studio, so that they can be compared.
    """
    changes = Changes(set=set_values)
    drafts = [Draft.from_file(file).changed(changes) for group in files for file in group]
    with open_session() as session:
        documents = [_document(session, draft) for draft in drafts]
        planned: list[Json] = session.client.post("plan", json={"documents": documents})
        for one in planned:
            for line in _told(one):
                session.terminal.say(line)
    return planned


def _document(session: Session, draft: Draft) -> dict[str, Any]:
    with draft.lines_told():
        if "endpoint_name" not in draft.source.values:
            wanted = draft.read(OnlineEndpointDocument).to_json()
            return {key: value for key, value in wanted.items() if key in draft.source.values}
        document = draft.read(OnlineDeploymentDocument)
        check_script(document, draft.folder)
        return FileSender(session.uploader, draft.folder).deployment(document).to_json()


def _told(planned: Json) -> Iterator[str]:
    """The plan of one document, for a reader."""
    what = f"deployment {planned['endpoint']}/{planned['deployment']}"
    if not planned["deployment"]:
        what = f"endpoint {planned['endpoint']}"
    yield {"create": f"+ {what}", "update": f"~ {what}"}.get(planned["action"], f"= {what}: nothing to change")
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
