"""Endpoints: created, changed, split, deleted. They hold no compute; what runs behind them are deployments."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from endpoints.control.endpoints import finish
from endpoints.models import OnlineDeployment, OnlineEndpoint, Operation
from endpoints.selectors import authorised_endpoint
from endpoints.selectors.studio_settings import setting
from endpoints.services import limits
from endpoints.services.comparisons import begin_comparison_if_new
from endpoints.services.credentials import make_keys, signing_key
from endpoints.services.operations import Change, begin_endpoint_change
from endpoints.services.waking import wake_reconciler
from endpoints.spec.comparison import chosen
from endpoints.spec.documents import OnlineEndpointDocument, require_managed
from endpoints.spec.errors import Conflict, FieldError, Invalid
from endpoints.spec.gateway_settings import without_defaults
from endpoints.spec.schema import to_json
from endpoints.spec.traffic import mirror_problems, traffic_problems
from studio.access import actions
from studio.access.models import User
from studio.access.policy import require

Document = OnlineEndpointDocument | Mapping[str, object]

_STORED = (
    "description",
    "tags",
    "properties",
    "auth_mode",
    "traffic",
    "mirror_traffic",
    "comparison",
    "public_network_access",
    "identity",
    "gateway_settings",
)


def read_document(document: Document) -> OnlineEndpointDocument:
    """The validated document; a mapping is read first."""
    if isinstance(document, OnlineEndpointDocument):
        return document
    return OnlineEndpointDocument.read(document)


def create_endpoint(actor: User, *, document: Document, overwrite: bool = False) -> Operation | None:
    """Create an endpoint with its keys. With `overwrite` one that exists becomes what the document says.

    Traffic can be given only where the deployments exist, so not at first; an empty split leaves the present one.
    Returns None where an existing endpoint was that already.
    """
    wanted = read_document(document)
    require_managed(wanted)
    require(actor, actions.ENDPOINTS_WRITE, wanted.name)
    with transaction.atomic():
        existing = _locked(wanted.name)
        if existing is None:
            return _create(actor, wanted)
        if not overwrite or existing.deletion_requested_at:
            raise _taken(existing)
        values = _values(wanted)
        for key in ("traffic", "mirror_traffic"):
            if not values[key]:
                del values[key]
        return _change(actor, existing, values)


def _create(actor: User, wanted: OnlineEndpointDocument) -> Operation:
    _require_valid_split(wanted.traffic, wanted.mirror_traffic, deployments=())
    limits.require_room_for_endpoint()
    endpoint = OnlineEndpoint.objects.create(name=wanted.name, created_by=actor, **_values(wanted))
    _ensure_secrets(endpoint)
    operation = begin_endpoint_change(actor, endpoint, kind="CreateEndpoint", summary="Create the endpoint")
    _finish_on_commit(endpoint)
    return operation


def _taken(existing: OnlineEndpoint) -> Conflict:
    if existing.deletion_requested_at:
        return Conflict(f"The endpoint {existing.name!r} is being deleted; create it again when it is gone.")
    message = f"There is an endpoint named {existing.name!r} already; choose another name, or update that one."
    return Conflict(message, details=[FieldError("name", message)])


def _values(document: OnlineEndpointDocument) -> dict[str, object]:
    """The document's part that the row keeps, as plain JSON values."""
    values = {key: to_json(getattr(document, key)) for key in _STORED}
    return {
        **values,
        "comparison": chosen(document.comparison),
        "gateway_settings": without_defaults(document.gateway_settings),
    }


def _ensure_secrets(endpoint: OnlineEndpoint) -> None:
    """What callers of the endpoint are checked against exists from the first moment on."""
    if endpoint.auth_mode == "key" and not hasattr(endpoint, "keys"):
        make_keys(endpoint)
    if endpoint.auth_mode == "aml_token":
        signing_key()


def update_endpoint(actor: User, *, name: str, changes: Mapping[str, object]) -> Operation | None:
    """Change the named keys of the endpoint's document; None where it said so already.

    A mapping such as `tags` or `traffic` is replaced whole; a key set to None returns to its default.
    """
    name = authorised_endpoint(actor, name, actions.ENDPOINTS_WRITE).name
    with transaction.atomic():
        endpoint = _required(name)
        values = {**_document_of(endpoint), **changes}
        document = OnlineEndpointDocument.read({key: value for key, value in values.items() if value is not None})
        require_managed(document)
        if document.name != endpoint.name:
            message = f"An endpoint keeps its name: {endpoint.name!r} cannot become {document.name!r}."
            raise Invalid(message, details=[FieldError("name", message)])
        return _change(actor, endpoint, _values(document))


def _document_of(endpoint: OnlineEndpoint) -> dict[str, object]:
    values = {"name": endpoint.name, **{key: getattr(endpoint, key) for key in _STORED}}
    return {key: value for key, value in values.items() if value is not None}


def set_traffic(
    actor: User, *, name: str, traffic: Mapping[str, int], mirror_traffic: Mapping[str, int] | None = None
) -> Operation | None:
    """Replace the split, and with `mirror_traffic` the mirroring; None where nothing differs."""
    changes: dict[str, object] = {"traffic": dict(traffic)}
    if mirror_traffic is not None:
        changes["mirror_traffic"] = dict(mirror_traffic)
    return update_endpoint(actor, name=name, changes=changes)


def apply_split(endpoint: OnlineEndpoint, traffic: Mapping[str, int], *, why: str) -> Operation | None:
    """The studio itself moves the split, for whom `why` names; None where nothing differs.

    The caller holds the endpoint's row and has seen to it that this may be done.
    """
    return _change(None, endpoint, {"traffic": dict(traffic)}, why=why)


def _change(
    actor: User | None, endpoint: OnlineEndpoint, values: Mapping[str, object], *, why: str = ""
) -> Operation | None:
    """Write what differs. The row is locked."""
    differing = [key for key, value in values.items() if getattr(endpoint, key) != value]
    if not differing:
        return None
    before = {key: getattr(endpoint, key) for key in differing}
    for key in differing:
        setattr(endpoint, key, values[key])
    if "traffic" in differing:
        endpoint.traffic_since = timezone.now()
    if {"traffic", "mirror_traffic"} & set(differing):
        _require_valid_split(endpoint.traffic, endpoint.mirror_traffic, deployments=_live_deployments(endpoint))
    endpoint.generation += 1
    endpoint.save(update_fields=[*differing, "traffic_since", "generation", "updated_at"])
    begin_comparison_if_new(endpoint)
    _ensure_secrets(endpoint)
    summary = f"{why}: {_summary(endpoint, differing).lower()}" if why else _summary(endpoint, differing)
    change = Change(before, {key: values[key] for key in differing})
    operation = begin_endpoint_change(actor, endpoint, kind="UpdateEndpoint", summary=summary, change=change)
    _finish_on_commit(endpoint)
    return operation


def _summary(endpoint: OnlineEndpoint, differing: list[str]) -> str:
    parts = [key.replace("_", " ") for key in differing if key != "traffic"]
    if "traffic" in differing:
        split = " ".join(f"{name}={percent}" for name, percent in endpoint.traffic.items())
        parts.insert(0, f"traffic to {split or 'nothing'}")
    return "Set " + ", ".join(parts)


def _live_deployments(endpoint: OnlineEndpoint) -> list[str]:
    return list(endpoint.deployments.filter(deletion_requested_at=None).values_list("name", flat=True))


def _require_valid_split(
    traffic: Mapping[str, int], mirror: Mapping[str, int], *, deployments: list[str] | tuple[str, ...]
) -> None:
    problems = traffic_problems(traffic, deployments=deployments)
    problems += mirror_problems(mirror, traffic=traffic, deployments=deployments, max_percent=setting("mirror_percent"))
    if not problems:
        return
    advice = " Create the deployments first, then set the traffic." if not deployments else ""
    raise Invalid(f"{problems[0].field}: {problems[0].message}{advice}", details=problems)


def delete_endpoint(actor: User, *, name: str) -> Operation:
    """Delete the endpoint with all its deployments, whatever traffic they have. Asking twice is no error."""
    name = authorised_endpoint(actor, name, actions.ENDPOINTS_DELETE).name
    with transaction.atomic():
        endpoint = _required(name)
        if endpoint.deletion_requested_at:
            running = Operation.objects.filter(endpoint_name=name, kind="DeleteEndpoint", state="Running")
            if operation := running.order_by("-created_at").first():
                return operation
        endpoint.deletion_requested_at = endpoint.deletion_requested_at or timezone.now()
        endpoint.generation += 1
        endpoint.save(update_fields=["deletion_requested_at", "generation", "updated_at"])
        _delete_deployments(endpoint)
        summary = "Delete the endpoint and its deployments"
        operation = begin_endpoint_change(actor, endpoint, kind="DeleteEndpoint", summary=summary)
        _finish_on_commit(endpoint)
    return operation


def _delete_deployments(endpoint: OnlineEndpoint) -> None:
    for deployment in OnlineDeployment.objects.select_for_update().filter(
        endpoint=endpoint, deletion_requested_at=None
    ):
        deployment.deletion_requested_at = endpoint.deletion_requested_at
        deployment.generation += 1
        deployment.save(update_fields=["deletion_requested_at", "generation", "updated_at"])
        wake_reconciler(deployment)


def _finish_on_commit(endpoint: OnlineEndpoint) -> None:
    """Tell the gateways. What fails here is logged, and the next sweep does it: the change itself is recorded."""
    transaction.on_commit(lambda: finish(endpoint), robust=True)


def _locked(name: str) -> OnlineEndpoint | None:
    return OnlineEndpoint.objects.select_for_update().filter(name=name).first()


def _required(name: str) -> OnlineEndpoint:
    """The endpoint under lock; the caller was allowed to see it a moment ago."""
    endpoint = _locked(name)
    if endpoint is None:
        raise Conflict(f"The endpoint {name!r} has just been deleted.")
    return endpoint
