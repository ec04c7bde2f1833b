"""How far a draft has come: every stored step validated again, because the world may have changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.datastructures import MultiValueDict

from studio.access.models import User
from studio.wizards.answers import Answers
from studio.wizards.steps.base import Step
from studio.wizards.steps.compute import ComputeStep
from studio.wizards.steps.endpoint import EndpointStep
from studio.wizards.steps.environment import EnvironmentStep
from studio.wizards.steps.model import ModelStep
from studio.wizards.steps.review import ReviewStep
from studio.wizards.steps.traffic import TrafficStep

STEPS: dict[str, type[Step]] = {
    "endpoint": EndpointStep,
    "model": ModelStep,
    "environment": EnvironmentStep,
    "compute": ComputeStep,
    "traffic": TrafficStep,
    "review": ReviewStep,
}
TITLES = {
    "endpoint": "Endpoint",
    "model": "Model",
    "environment": "Environment and code",
    "compute": "Compute",
    "traffic": "Traffic",
    "review": "Review",
}

StepData = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Progress:
    """before: what a step's form may know. done: steps whose answers hold. open_step: the first that is not done."""

    before: Mapping[str, Answers]
    done: frozenset[str]
    begun: frozenset[str]
    answers: Answers
    open_step: str

    @property
    def is_complete(self) -> bool:
        return self.open_step == "review"

    def is_reachable(self, step: str) -> bool:
        """A step may be opened when all before it are done."""
        names = list(STEPS)
        return names.index(step) <= names.index(self.open_step)


def read(user: User, step_data: StepData, wish: Mapping[str, str]) -> Progress:
    """Validate the stored answers in order. A step counts only when all steps before it do."""
    answers, before, done = Answers(), {}, set[str]()
    open_step = ""
    for name, form_class in STEPS.items():
        before[name] = answers
        stored = step_data.get(name)
        if open_step or name == "review" or stored is None:
            open_step = open_step or name
            continue
        form = form_class(data=_multi(stored), prefix=name, user=user, so_far=answers, wish=wish)
        if form.is_valid():
            done.add(name)
            answers = form.extend(answers)
        else:
            open_step = name
    return Progress(before, frozenset(done), frozenset(step_data), answers, open_step)


def _multi(stored: Mapping[str, Sequence[str]]) -> MultiValueDict[str, str]:
    return MultiValueDict({name: list(values) for name, values in stored.items()})
