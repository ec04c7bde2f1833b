"""The test panel: send a request to a deployment or the live split, see what came back and what the script wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from uuid import UUID

import httpx
from django import forms
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import reswap, retarget

from endpoints import selectors, services
from endpoints.backends.base import LogLine
from endpoints.models import OnlineDeployment
from endpoints.spec.errors import Forbidden, SlipwayError
from endpoints.spec.routes import MAX_PAYLOAD_BYTES
from endpoints.spec.states import InstanceState
from studio.access import actions
from studio.access.models import User
from studio.access.policy import require
from studio.forms.fields import SlimForm, add_domain_errors
from studio.pages import bodies
from studio.pages.answers import Request, page, wants_fragment
from studio.pages.call_as_code import Call, as_curl, as_python
from studio.pages.endpoints import frame
from studio.pages.samples import variable_of
from studio.templatetags.look import colour

TEMPLATE = "pages/endpoints/test.html"
_SWAGGER_TIMEOUT_S = 0.8
_LOG_LINES = 200
# How often the page asks for the lines of a call: writers flush within a moment.
_LOG_TURNS = 4
CONTENT_TYPES = ("application/json", "text/plain", "text/csv", "application/octet-stream")

# What an error answer means and what to do, by status (contract B6).
EXPLANATIONS = {
    401: "The gateway did not accept the key or token.",
    404: "There is no such endpoint or deployment at the gateway. A new one is known there within a second.",
    408: "The script took longer than request_timeout_ms allows. Raise it in the deployment, or make run() faster.",
    413: "The body is larger than the gateway lets through.",
    424: "The script raised an error or answered with one. Its own lines below say where.",
    429: "More requests at once than the instances take. Add instances, or raise max_concurrent_requests_per_instance.",
    500: "The scoring server failed before or after the script ran. Its log lines below say why.",
    502: "The instance broke the connection. If it crashed, its log says why; it is replaced by itself.",
    503: "No instance is ready to answer: nothing has live traffic yet, or it is still starting.",
}


class InvokeForm(SlimForm):
    """A request. An attached file is sent as it is, in place of the text."""

    deployment = forms.ChoiceField(required=False)
    content_type = forms.ChoiceField(
        label="Content type", required=False, choices=[(name, name) for name in CONTENT_TYPES], initial=CONTENT_TYPES[0]
    )
    body = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "false", "autocomplete": "off", "data-editor": ""}),
    )
    file = forms.FileField(label="or send a file", required=False, allow_empty_file=True)

    def __init__(self, *args: object, deployments: list[OnlineDeployment], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        names = [(one.name, one.name) for one in deployments]
        self.fields["deployment"].choices = [("", "Live split"), *names]  # type: ignore[attr-defined]

    def clean(self) -> None:
        file = self.cleaned_data.get("file")
        if file and file.size > MAX_PAYLOAD_BYTES:
            self.add_error("file", f"The gateway takes up to {MAX_PAYLOAD_BYTES // 1024**2} MiB; this file is larger.")
        if file or self.sent_type() != "application/json" or "body" in self.errors:
            return
        if problem := bodies.json_problem(self.cleaned_data["body"]):
            self.add_error("body", f"Not JSON at line {problem.line}, column {problem.column}: {problem.message}.")

    def sent_type(self) -> str:
        """The content type of the text."""
        return str(self.cleaned_data.get("content_type") or CONTENT_TYPES[0])

    def payload(self) -> tuple[bytes, str]:
        """The bytes to send and what they are."""
        if file := self.cleaned_data.get("file"):
            return file.read(), file.content_type or "application/octet-stream"
        return self.cleaned_data["body"].replace("\r\n", "\n").encode(), self.sent_type()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call as the page shows it. deployment: the one that answered, "" where the gateway did itself."""

    status: int
    milliseconds: float
    deployment: str
    request_id: str
    headers: list[tuple[str, str]]
    body: bodies.ShownBody
    variable: str
    curl: str
    python: str
    colour: str = ""
    explanation: str = ""

    @property
    def reason(self) -> str:
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return {424: "Failed Dependency"}.get(self.status, "")

    @property
    def state(self) -> str:
        return "ok" if self.status < 400 else "bad"


@require_http_methods(["GET", "POST"])
def test_panel(request: Request, name: str) -> HttpResponse:
    """The panel; a POST sends, and answers with the outcome alone where htmx asks."""
    context = frame(request.user, name, "test")
    require(request.user, actions.SCORE, name)
    deployments = list(_deployments(request.user, name))
    chosen = request.GET.get("deployment", "")
    context |= {"deployments": deployments}
    if request.method == "GET":
        sample = _sample(request.user, deployments, chosen)
        form = InvokeForm(deployments=deployments, initial={"deployment": chosen, "body": sample})
        return page(request, TEMPLATE, context | {"form": form}, fragment="editor")
    form = InvokeForm(request.POST, request.FILES, deployments=deployments)
    outcome = None
    if form.is_valid():
        try:
            outcome = _send(request.user, name, form, deployments)
        except SlipwayError as error:
            add_domain_errors(form, error)
    return _answer(request, context | {"form": form, "outcome": outcome})


@require_GET
def test_log(request: Request, name: str, request_id: UUID) -> HttpResponse:
    """The lines the call left in the log; asked for a few times, because writers need a moment."""
    deployment = selectors.get_deployment(request.user, name, request.GET.get("deployment", ""))
    turn = min(int(turns), _LOG_TURNS) if (turns := request.GET.get("turn", "1")).isdecimal() else _LOG_TURNS
    lines = list(_lines(request.user, deployment, str(request_id)))
    context = {
        "endpoint": deployment.endpoint,
        "deployment_name": deployment.name,
        "request_id": request_id,
        "lines": lines,
        "next_turn": 0 if turn >= _LOG_TURNS or not wants_fragment(request) else turn + 1,
    }
    return page(request, "pages/endpoints/test_log.html", context, fragment="lines")


def _answer(request: Request, context: dict[str, object]) -> HttpResponse:
    """The outcome goes on top of the calls before it; a refusal replaces what the form said last."""
    form, outcome = context["form"], context["outcome"]
    if outcome is not None:
        return page(request, TEMPLATE, context, fragment="outcome")
    answer = page(request, TEMPLATE, context, fragment="refusal", status=422)
    assert isinstance(form, InvokeForm)  # noqa: S101 - test_panel put it there
    return retarget(reswap(answer, "outerHTML"), "#refusal") if wants_fragment(request) else answer


def _deployments(user: User, name: str) -> Iterator[OnlineDeployment]:
    """Those the panel may name; a person who may only score names none."""
    try:
        yield from selectors.deployments_of(user, name).filter(deletion_requested_at=None)
    except Forbidden:
        return


def _send(user: User, name: str, form: InvokeForm, deployments: list[OnlineDeployment]) -> Outcome:
    endpoint = selectors.get_endpoint(user, name)
    body, content_type = form.payload()
    chosen = form.cleaned_data["deployment"]
    result = services.invoke(
        user, endpoint=name, deployment=chosen or None, body=body, content_type=content_type, headers={}
    )
    file = form.cleaned_data.get("file")
    call = Call(
        scoring_uri=selectors.scoring_uri(endpoint),
        variable=variable_of(endpoint.auth_mode),
        content_type=content_type,
        body=file.name if file else body.decode(),
        is_file=bool(file),
        deployment=chosen,
    )
    headers = {key.lower(): value for key, value in dict(result.headers).items()}
    return Outcome(
        status=result.status,
        milliseconds=result.seconds * 1000,
        deployment=result.deployment or "",
        request_id=result.request_id,
        headers=sorted(headers.items()),
        body=bodies.shown(result.body, headers.get("content-type", "")),
        variable=call.variable,
        curl=as_curl(call),
        python=as_python(call),
        colour=next((colour(one) for one in deployments if one.name == result.deployment), ""),
        explanation=EXPLANATIONS.get(result.status, "") if result.status >= 400 else "",
    )


def _lines(user: User, deployment: OnlineDeployment, request_id: str) -> Iterator[LogLine]:
    try:
        lines = selectors.deployment_logs(user, deployment, request_id=request_id, lines=_LOG_LINES)
        yield from islice(lines, _LOG_LINES)
    except Forbidden:
        return


def _sample(user: User, deployments: list[OnlineDeployment], chosen: str) -> str:
    """A request to begin with: from the running script's swagger, else kept with the assets, else an empty one."""
    candidates = [one for one in deployments if one.name == chosen] or deployments
    candidates.sort(key=lambda one: -int(one.endpoint.traffic.get(one.name, 0)))
    for deployment in candidates[:1]:
        return bodies.swagger_sample(_swagger(user, deployment)) or kept_request(deployment) or bodies.EMPTY_SAMPLE
    return bodies.EMPTY_SAMPLE


def sample_request(user: User, deployment: OnlineDeployment) -> str:
    """A request to begin with, for one deployment."""
    return _sample(user, [deployment], deployment.name)


def _swagger(user: User, deployment: OnlineDeployment) -> object:
    """The swagger document of a ready instance, None where there is none within a moment."""
    instance = selectors.instances_of(user, deployment).filter(state=InstanceState.READY).first()
    if instance is None:
        return None
    url = f"http://{instance.host}:{instance.port}/swagger.json"
    try:
        answer = httpx.get(url, timeout=_SWAGGER_TIMEOUT_S, trust_env=False)
        return answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return None


def kept_request(deployment: OnlineDeployment) -> str:
    """The sample request kept with an authorised deployment or its model, "" for none."""
    model = selectors.revision_now(deployment).model_version
    of_model = [model.properties, model.tags] if model else []
    return bodies.kept_sample([deployment.properties, deployment.tags, *of_model])
