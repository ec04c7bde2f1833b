"""The wizard in a browser's words: pages, refusals, drafts that stay, and nothing made before Create."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from endpoints.models import FamilyQuota, ModelVersion, OnlineDeployment, OnlineEndpoint
from studio.access.models import User
from studio.wizards import progress, starter
from studio.wizards.models import DeploymentDraft
from tests.wizards.conftest import stored, typed


@pytest.fixture
def browser(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def draft(owner: User, model: ModelVersion) -> DeploymentDraft:
    """Complete up to the review."""
    answers = {"step": "traffic", "step_data": stored(), "step_files": {}, "extra_data": {}}
    return DeploymentDraft.objects.create(owner=owner, answers=answers, title="fresh-endpoint / blue")


def address(draft: DeploymentDraft, step: str) -> str:
    return f"/deploy/{draft.pk}/{step}/"


@pytest.mark.parametrize("step", list(progress.STEPS))
def test_every_step_shows(browser: Client, draft: DeploymentDraft, step: str) -> None:
    answer = browser.get(address(draft, step))
    assert answer.status_code == 200
    assert progress.TITLES[step] in answer.content.decode()


def test_looking_leaves_no_draft_behind(browser: Client) -> None:
    assert browser.get("/deploy/").status_code == 200
    assert not DeploymentDraft.objects.exists()


def test_the_first_answer_makes_a_draft_and_goes_on(browser: Client) -> None:
    answer = browser.post("/deploy/new/", typed("endpoint"))
    draft = DeploymentDraft.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, address(draft, "model"))
    assert str(draft) == "fresh-endpoint / blue"


def test_what_is_wrong_is_told_with_422_and_not_kept(browser: Client) -> None:
    answer = browser.post("/deploy/new/", typed("endpoint", name="9"))
    assert answer.status_code == 422
    assert "at least 3" in answer.content.decode()
    assert not DeploymentDraft.objects.exists()


def test_a_link_with_a_model_is_remembered_until_its_step(browser: Client, model: ModelVersion) -> None:
    browser.post("/deploy/?model=azureml:diabetes:1", typed("endpoint"))
    page = browser.get(address(DeploymentDraft.objects.get(), "model")).content.decode()
    assert '<option value="diabetes:1" selected>' in page


def test_a_step_ahead_of_its_turn_leads_back(browser: Client, owner: User, model: ModelVersion) -> None:
    answers = {"step": "model", "step_data": stored("model"), "step_files": {}, "extra_data": {}}
    draft = DeploymentDraft.objects.create(owner=owner, answers=answers)
    answer = browser.get(address(draft, "review"))
    assert (answer.status_code, answer["Location"]) == (302, address(draft, "model"))


def test_files_without_scripts_travel_with_the_form(browser: Client, draft: DeploymentDraft) -> None:
    files = [SimpleUploadedFile("model.pkl", b"1"), SimpleUploadedFile("extra.txt", b"2")]
    sent = typed("model", source="upload", name="from-a-form") | {"model-files": files}
    assert browser.post(address(draft, "model"), sent).status_code == 302
    draft.refresh_from_db()
    page = browser.get(address(draft, "model")).content.decode()
    assert "2 files" in page


def test_an_archive_that_is_none_is_refused_where_it_was_given(browser: Client, draft: DeploymentDraft) -> None:
    sent = typed("model", source="upload", name="broken")
    sent |= {"model-files": SimpleUploadedFile("m.zip", b"no zip"), "model-unpack": "on"}  # type: ignore[dict-item]
    answer = browser.post(address(draft, "model"), sent)
    assert answer.status_code == 422


def test_a_conda_file_may_be_uploaded(browser: Client, draft: DeploymentDraft) -> None:
    sent = typed("environment") | {"environment-conda-file": BytesIO(b"dependencies: [")}
    answer = browser.post(address(draft, "environment"), sent)
    assert answer.status_code == 422
    assert "dependencies: [" in answer.content.decode()


def test_a_draft_survives_signing_out(browser: Client, owner: User, draft: DeploymentDraft) -> None:
    browser.post(address(draft, "compute"), typed("compute", instance_count="3"))
    browser.post("/sign-out/")
    assert browser.get(address(draft, "compute")).status_code == 302
    browser.force_login(owner)
    assert 'value="3"' in browser.get(address(draft, "compute")).content.decode()
    assert "fresh-endpoint / blue" in browser.get("/deploy/").content.decode()


def test_save_draft_keeps_even_what_is_wrong(browser: Client, draft: DeploymentDraft) -> None:
    answer = browser.post(address(draft, "compute"), typed("compute", instance_count="999") | {"save": "1"})
    assert answer["Location"] == "/deploy/"
    page = browser.get(address(draft, "compute")).content.decode()
    assert 'value="999"' in page
    assert browser.get(address(draft, "review"))["Location"] == address(draft, "compute")


def test_an_untouched_starter_follows_the_model(browser: Client, draft: DeploymentDraft) -> None:
    script = starter.scoring_script("model.pkl")
    browser.post(address(draft, "environment"), typed("environment", script=script.replace("\n", "\r\n")))
    sent = typed("model", source="upload", name="other")
    sent |= {"model-files": SimpleUploadedFile("better.joblib", b"1")}  # type: ignore[dict-item]
    browser.post(address(draft, "model"), sent)
    assert "better.joblib" in browser.get(address(draft, "environment")).content.decode()


def test_a_script_somebody_changed_stays(browser: Client, draft: DeploymentDraft) -> None:
    browser.post(address(draft, "model"), typed("model", source="none"))
    assert "return raw_data" in browser.get(address(draft, "environment")).content.decode()


def test_back_keeps_what_stands_on_the_page(browser: Client, draft: DeploymentDraft) -> None:
    answer = browser.post(address(draft, "compute"), typed("compute", instance_count="2") | {"go": "environment"})
    assert answer["Location"] == address(draft, "environment")
    assert 'value="2"' in browser.get(address(draft, "compute")).content.decode()


def test_another_persons_draft_does_not_exist(client: Client, stranger: User, draft: DeploymentDraft) -> None:
    stranger.is_superuser = True
    stranger.save()
    client.force_login(stranger)
    assert client.get(address(draft, "endpoint")).status_code == 404
    assert client.post(f"/deploy/{draft.pk}/discard/").status_code == 404


@pytest.mark.parametrize("path", ["/deploy/", "/deploy/new/", "/deploy/quota/"])
def test_who_may_not_deploy_is_refused(client: Client, stranger: User, path: str) -> None:
    client.force_login(stranger)
    assert client.get(path).status_code == 403


def test_a_draft_can_be_discarded(browser: Client, draft: DeploymentDraft) -> None:
    assert browser.get(f"/deploy/{draft.pk}/discard/").status_code == 405
    assert browser.post(f"/deploy/{draft.pk}/discard/").status_code == 302
    assert not DeploymentDraft.objects.exists()


def test_a_draft_keeps_a_choice_that_quota_refuses(browser: Client, draft: DeploymentDraft) -> None:
    FamilyQuota.objects.filter(family="FSv2").update(limit_cores=1)
    answer = browser.post(address(draft, "compute"), typed("compute", instance_type="Standard_F8s_v2"))
    assert answer.status_code == 422
    again = browser.get(address(draft, "compute"))
    assert again.context["form"]["instance_type"].value() == "Standard_F8s_v2"
    assert browser.get(address(draft, "review")).status_code == 302


def test_the_quota_fragment_answers_while_typing(browser: Client, model: ModelVersion) -> None:
    FamilyQuota.objects.filter(family="DSv2").update(limit_cores=40)
    query = {"compute-instance_type": "Standard_DS3_v2", "compute-instance_count": "10"}
    page = browser.get("/deploy/quota/", query, headers={"HX-Request": "true"}).content.decode()
    assert "need 12 \N{MULTIPLICATION SIGN} 4 =" in page
    assert "<b>48 cores</b>" in page
    assert "Use 8 instances" in page
    assert "<html" not in page


def test_create_lands_on_the_deployment(browser: Client, draft: DeploymentDraft) -> None:
    answer = browser.post(address(draft, "review"))
    assert answer["Location"] == "/endpoints/fresh-endpoint/deployments/blue/"
    assert OnlineDeployment.objects.filter(endpoint__name="fresh-endpoint", name="blue").exists()
    assert not DeploymentDraft.objects.exists()


def test_a_refusal_at_the_end_keeps_the_draft_and_says_why(browser: Client, draft: DeploymentDraft) -> None:
    FamilyQuota.objects.filter(family="DSv2").update(limit_cores=8)
    DeploymentDraft.objects.update(answers=draft.answers)
    occupy("other")
    answer = browser.post(address(draft, "review"))
    assert DeploymentDraft.objects.filter(pk=draft.pk).exists()
    assert not OnlineEndpoint.objects.filter(name="fresh-endpoint").exists()
    assert answer.status_code == 302  # to the compute step, where the arithmetic stands
    assert answer["Location"] == address(draft, "compute")


def test_what_the_steps_cannot_foresee_is_shown_on_the_review(
    browser: Client, draft: DeploymentDraft, settings
) -> None:
    settings.SLIPWAY_DEFAULTS = settings.SLIPWAY_DEFAULTS | {"endpoints": 0}
    answer = browser.post(address(draft, "review"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "The endpoint could not be made." in page
    assert "Nothing was created" in page
    assert DeploymentDraft.objects.filter(pk=draft.pk).exists()


def test_create_is_never_a_get(browser: Client, draft: DeploymentDraft) -> None:
    browser.get(address(draft, "review"))
    assert browser.get(address(draft, "done")).status_code == 404
    assert not OnlineEndpoint.objects.exists()


def occupy(name: str) -> None:
    """A deployment that takes 8 of DSv2's cores."""
    endpoint = OnlineEndpoint.objects.create(name=name)
    endpoint.deployments.create(name="blue", instance_type="Standard_DS3_v2")
