"""A target that hangs keeps nobody waiting for long, and is not asked twice at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

import pytest

from endpoints.backends.base import DeploymentRef, ObservedInstance, Temporary
from endpoints.backends.fake import FakeBackend
from endpoints.control.looking import look_at
from endpoints.control.sweep import sweep
from tests.control.conftest import Studio

BLUE = DeploymentRef("house", "blue")


class Hanging(FakeBackend):
    """Answers when it is let go."""

    name = "hanging"

    def __init__(self) -> None:
        super().__init__()
        self.is_let_go, self.asked = threading.Event(), 0

    def observe_many(
        self, deployments: Sequence[DeploymentRef]
    ) -> Mapping[DeploymentRef, tuple[ObservedInstance, ...]]:
        self.asked += 1
        self.is_let_go.wait(30)
        return super().observe_many(deployments)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    backend = Hanging()
    yield backend
    backend.is_let_go.set()
    while look_at(backend, (BLUE,)) is None:
        pass


def test_a_look_that_takes_too_long_is_given_up_and_not_doubled(hanging: Hanging):
    assert look_at(hanging, (BLUE,), patience_s=0.01) is None
    assert look_at(hanging, (BLUE,), patience_s=0.01) is None
    assert hanging.asked == 1


def test_a_target_that_refuses_is_no_report():
    backend = FakeBackend()
    backend.errors = [Temporary("away")]
    assert look_at(backend, (BLUE,)) is None
    assert look_at(backend, (BLUE,)) == {BLUE: ()}


def test_deployments_on_another_target_are_looked_after_while_one_hangs(
    studio: Studio, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
):
    from endpoints.backends import registry
    from endpoints.control import looking

    blue, green = studio.reconcile(studio.deployment("blue")), studio.reconcile(studio.deployment("green"))
    type(blue).objects.filter(pk=green.pk).update(backend="hanging")
    monkeypatch.setitem(registry._MAKERS, "hanging", lambda _: hanging)
    monkeypatch.setattr(looking.look_at, "__kwdefaults__", {"patience_s": 0.01})
    studio.target.crash(BLUE, studio.instances(blue)[0].pk)
    studio.woken.clear()
    sweep(clock=studio.clock)
    assert [arguments[0] for _, *arguments in studio.woken] == [blue.pk]
