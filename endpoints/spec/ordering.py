"""In which order documents take effect: an endpoint, its deployments, then the split that names them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Values = Mapping[str, object]
_SPLIT = ("traffic", "mirror_traffic")


def is_deployment(document: Values) -> bool:
    """A document that names its endpoint is a deployment's; any other is an endpoint's."""
    return "endpoint_name" in document


def in_order(documents: Sequence[Values]) -> list[Values]:
    """The documents, each where nothing it names is missing any more.

    An endpoint's split waits for the deployments that come with it, as a document of its own (contract B4: traffic can
    be given only where the deployments exist). Documents are kept in their order otherwise.
    """
    new = [document for document in documents if is_deployment(document)]
    with_company = {_name(document, "endpoint_name") for document in new}
    first: list[Values] = []
    last: list[Values] = []
    for document in documents:
        if is_deployment(document):
            continue
        has_split = any(document.get(key) for key in _SPLIT)
        if not has_split or _name(document, "name") not in with_company:
            first.append(document)
            continue
        first.append({key: value for key, value in document.items() if key not in _SPLIT})
        last.append({"name": document["name"], **{key: document[key] for key in _SPLIT if key in document}})
    return [*first, *new, *last]


def named_deployments(documents: Sequence[Values]) -> dict[str, set[str]]:
    """For every endpoint whose own document is among them: the deployments that are, too. All in lower case."""
    named: dict[str, set[str]] = {_name(one, "name"): set() for one in documents if not is_deployment(one)}
    for document in documents:
        if is_deployment(document) and (endpoint := _name(document, "endpoint_name")) in named:
            named[endpoint].add(_name(document, "name"))
    return named


def _name(document: Values, key: str) -> str:
    return str(document.get(key, "")).lower()
