"""The deployment wizard's pages: its steps, the list of drafts, and the fragments that answer while a person types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST
from formtools.wizard.views import NamedUrlWizardView

from endpoints.spec.errors import Forbidden, SlipwayError
from studio.access import actions
from studio.access.models import User
from studio.access.policy import grants_of
from studio.templatetags.look import Share
from studio.wizards import documents as docs
from studio.wizards import files, progress, starter
from studio.wizards.answers import Answers, ModelAnswer
from studio.wizards.creation import CreationFailed, create
from studio.wizards.models import DeploymentDraft
from studio.wizards.shares import shares_of
from studio.wizards.steps.base import Step

TITLES = progress.TITLES
WISHES = ("model", "endpoint", "like")


class DeployWizard(NamedUrlWizardView):  # type: ignore[misc]
    """formtools walks the steps; the draft in `self.draft` remembers them. One class for a fresh and a kept draft."""

    storage_name = "studio.wizards.storage.DraftStorage"
    template_name = "pages/deploy/step.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.user = _deployer(request)
        self.draft = _draft(self.user, kwargs["draft"]) if "draft" in kwargs else DeploymentDraft(owner=self.user)
        self.refusals: dict[str, str] = {}
        request.draft = self.draft  # type: ignore[attr-defined]  # where the storage looks for it
        return super().dispatch(request, *args, **kwargs)  # type: ignore[no-any-return]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The step, or the first one that still lacks something. Nothing is ever created by looking."""
        step = kwargs.get("step", "endpoint")
        if step not in progress.STEPS:
            raise Http404
        if not self.reached.is_reachable(step):
            return redirect(self.get_step_url(self.reached.open_step))
        self.storage.current_step = step
        return self.render(self.get_form(data=self.storage.current_step_data))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        step = kwargs.get("step", "endpoint")
        if step not in progress.STEPS:
            raise Http404
        self.storage.current_step = step
        self._remember_wish()
        request.POST = self._receive_files(step)  # type: ignore[assignment]
        if "save" in request.POST or "go" in request.POST:
            return self._keep(step)
        form = self.get_form(data=request.POST)
        if self.refusals or not form.is_valid():
            if not self.draft._state.adding:
                self._store(step, form)  # whoever goes to ask for more quota finds their choice again
            return self.render(form)
        self._store(step, form)
        return self.render_done(form, **kwargs) if step == "review" else self.render_next_step(form)

    def render_done(self, form: Step, **kwargs: Any) -> HttpResponse:
        """Create everything; whatever stands in the way is shown on the review, and the draft stays."""
        if not self.reached.is_complete:
            return redirect(self.get_step_url(self.reached.open_step))
        try:
            created = create(self.user, self.reached.answers)
        except CreationFailed as failure:
            return self.render(form, failure=failure)
        self.storage.reset()
        messages.success(self.request, f"{created.deployment} is being created.", extra_tags="ok")
        return redirect("deployments:detail", created.endpoint, created.deployment)

    def render(self, form: Step | None = None, **kwargs: Any) -> HttpResponse:
        form = form or self.get_form()
        for field, message in self.refusals.items():
            form.is_valid()
            form.add_error(field, message)
        response: HttpResponse = super().render(form, **kwargs)
        is_wrong = "failure" in kwargs or (self.request.method == "POST" and bool(form.errors))
        response.status_code = 422 if is_wrong else 200
        return response

    def get_form_kwargs(self, step: str | None = None) -> dict[str, Any]:
        name = step or self.steps.current
        return {"user": self.user, "so_far": self.reached.before[name], "wish": self.wish}

    def get_context_data(self, form: Step, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(form=form, **kwargs)
        step, answers = self.steps.current, self.reached.answers
        return context | {
            "draft": self.draft,
            "is_fresh": self.draft._state.adding,
            "step": step,
            "step_title": TITLES[step],
            "step_template": f"pages/deploy/steps/{step}.html",
            "step_links": self._step_links(step),
            "so_far": answers,
            "package": docs.package(answers) if self.reached.is_complete else None,
            "traffic_shares": self._shares(answers),
            "other_drafts": DeploymentDraft.objects.filter(owner=self.user).exclude(pk=self.draft.pk).count(),
        }

    def get_step_url(self, step: str) -> str:
        return reverse("deploy:step", args=[self.draft.pk, step])

    @property
    def wish(self) -> Mapping[str, str]:
        """What the link that led here asked for."""
        kept: Mapping[str, str] = self.storage.extra_data.get("wish", {})
        return kept or _wish(self.request)

    @property
    def reached(self) -> progress.Progress:
        """Worked out once a request, and again after an answer was stored."""
        if self._reached is None:
            self._reached = progress.read(self.user, self.storage.data["step_data"], self.wish)
        return self._reached

    _reached: progress.Progress | None = None

    def _shares(self, answers: Answers) -> list[Share]:
        split = answers.traffic.traffic if answers.traffic else None
        return shares_of(self.user, answers.endpoint.name, split) if split and answers.endpoint else []

    def _step_links(self, current: str) -> list[dict[str, object]]:
        reached = self.reached
        return [
            {
                "name": name,
                "title": title,
                "url": self.get_step_url(name) if reached.is_reachable(name) and not self.draft._state.adding else "",
                "state": "done" if name in reached.done else "",
                "is_current": name == current,
            }
            for name, title in TITLES.items()
        ]

    def _receive_files(self, step: str) -> QueryDict:
        """The posted fields with uploaded files turned into what the form's own fields hold."""
        data: QueryDict = self.request.POST.copy()
        for name, purpose in (("model", "model"), ("environment", "code")):
            sent = self.request.FILES.getlist(f"{name}-files")
            if step != name or not sent:
                continue
            try:
                stored = files.receive(self.user, sent, purpose, is_unpacked=f"{name}-unpack" in data)
            except SlipwayError as error:
                self.refusals["upload"] = error.message
            else:
                data[f"{name}-upload"] = stored.id
        for kind in ("conda", "requirements"):
            if text_file := self.request.FILES.get(f"environment-{kind}-file"):
                data[f"environment-{kind}"] = files.read_text(text_file)
        return data

    def _keep(self, step: str) -> HttpResponse:
        """Keep what stands on the page as it is, right or wrong: Save draft, and going elsewhere."""
        self._store(step, self.get_form(data=self.request.POST))
        goal = self.request.POST.get("go", "")
        if goal in progress.STEPS and self.reached.is_reachable(goal):
            return redirect(self.get_step_url(goal))
        messages.success(self.request, "The draft is saved.", extra_tags="ok")
        return redirect("deploy:start")

    def _store(self, step: str, form: Step) -> None:
        """Keep the step's own fields as texts."""
        names = [form.add_prefix(name) for name in form.fields]
        model_before = self.reached.answers.model
        sent = self.request.POST
        self.storage.set_step_data(step, {name: sent.getlist(name) for name in names if name in sent})
        self._reached = None
        if step == "model":
            self._renew_starter(model_before)
        if endpoint := self.reached.answers.endpoint:
            self.draft.title = f"{endpoint.name} / {endpoint.deployment}"

    def _renew_starter(self, model_before: ModelAnswer | None) -> None:
        """A starter script nobody touched follows the model."""
        kept = self.storage.data["step_data"].get("environment", {}).get("environment-script")
        if kept:
            files_of = [model.main_file if model else "" for model in (model_before, self.reached.answers.model)]
            kept[0] = starter.renewed(kept[0], *files_of)
            self._reached = None

    def _remember_wish(self) -> None:
        if "wish" not in self.storage.extra_data:
            self.storage.extra_data = {**self.storage.extra_data, "wish": _wish(self.request)}


step: Callable[..., HttpResponseBase] = DeployWizard.as_view(progress.STEPS.items(), url_name="deploy:step")


def start(request: HttpRequest) -> HttpResponseBase:
    """The person's drafts, or straight to the first step where there are none or a link asked for something."""
    drafts = DeploymentDraft.objects.filter(owner=_deployer(request))
    if _wish(request) or not drafts.exists() or request.method == "POST":
        return step(request)
    listed = [{"row": draft, "step_title": TITLES.get(draft.step, "Endpoint")} for draft in drafts]
    return render(request, "pages/deploy/drafts.html", {"drafts": listed})


@require_POST
def discard(request: HttpRequest, draft: UUID) -> HttpResponse:
    """Throw a draft away."""
    _draft(_deployer(request), draft).delete()
    messages.success(request, "The draft is gone.", extra_tags="ok")
    return redirect("deploy:start")


@require_GET
def quota(request: HttpRequest) -> HttpResponse:
    """The sum for what is chosen now, as a fragment."""
    form = progress.STEPS["compute"](
        data=request.GET, prefix="compute", user=_deployer(request), so_far=Answers(), wish={}
    )
    return render(request, "pages/deploy/steps/compute.html#quota", {"form": form})


def _deployer(request: HttpRequest) -> User:
    """The signed-in person, if there is anything at all they may deploy to."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - the middleware lets nobody else through
    grants = grants_of(user)
    if grants.endpoints(actions.DEPLOYMENTS_WRITE) == frozenset():
        message = "You may not deploy: ask an owner of the workspace for a role that may write deployments."
        raise Forbidden(message, action=actions.DEPLOYMENTS_WRITE)
    return user


def _draft(user: User, key: UUID) -> DeploymentDraft:
    return get_object_or_404(DeploymentDraft, pk=key, owner=user)


def _wish(request: HttpRequest) -> dict[str, str]:
    return {name: value for name in WISHES if (value := request.GET.get(name, "").strip())}
