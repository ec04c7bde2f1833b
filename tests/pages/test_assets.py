"""Models and environments from a browser: registered in every way, archived, restored, downloaded, found."""

from __future__ import annotations

import asyncio
import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponseBase, StreamingHttpResponse
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from endpoints import services
from endpoints.models import EnvironmentBuild, EnvironmentVersion, ModelVersion
from studio.access.models import User
from studio.pages.models import model_download
from tests.pages import world
from tests.pages.conftest import visiting


def sent(name: str, content: bytes = b"weights") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def zipped(**files: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"forest/{name}", content)
    return held.getvalue()


def register(user: User, *files: SimpleUploadedFile, **fields: str) -> int:
    form = {"name": "forest", "type": "custom_model", "sent_files": list(files), **fields}
    return visiting(user).post("/new/model/", form).status_code


def test_one_file_is_a_model(olivia: User) -> None:
    assert register(olivia, sent("model.pkl"), tags="a=b", description="Trees") == 302
    row = ModelVersion.objects.get()
    assert (row.root_name, row.is_folder, row.tags, row.description) == ("model.pkl", False, {"a": "b"}, "Trees")


def test_several_files_are_a_folder(olivia: User) -> None:
    assert register(olivia, sent("a.bin"), sent("b.bin"), unpack="on") == 302
    row = ModelVersion.objects.get()
    assert (row.is_folder, row.file_count) == (True, 2)


def test_an_archive_is_unpacked_if_asked(olivia: User) -> None:
    assert register(olivia, sent("forest.zip", zipped(a=b"1", b=b"2")), unpack="on") == 302
    row = ModelVersion.objects.get()
    assert (row.root_name, row.file_count) == ("forest", 2)


def test_an_archive_is_kept_whole_if_not(olivia: User) -> None:
    assert register(olivia, sent("forest.zip", zipped(a=b"1"))) == 302
    assert ModelVersion.objects.get().root_name == "forest.zip"


def test_a_finished_upload_is_registered(olivia: User) -> None:
    upload = services.upload_from_files(olivia, files=[("m.pkl", io.BytesIO(b"x"))], purpose="model")
    assert register(olivia, upload=str(upload.pk)) == 302
    assert ModelVersion.objects.get().tree_digest == upload.tree_digest


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({}, "Choose the model&#x27;s file"), ({"upload": "00000000-0000-0000-0000-000000000000"}, "You have no upload")],
)
def test_a_model_without_files_is_refused(fields: dict[str, str], reason: str, olivia: User) -> None:
    answer = visiting(olivia).post("/new/model/", {"name": "m", "type": "custom_model", **fields})
    assert answer.status_code == 422
    assert reason in answer.text


def test_files_that_are_no_mlflow_model_are_refused_at_the_files(olivia: User) -> None:
    form = {"name": "m", "type": "mlflow_model", "sent_files": [sent("model.pkl")]}
    answer = visiting(olivia).post("/new/model/", form)
    assert answer.status_code == 422 and "has no file MLmodel" in answer.text
    assert "path: " not in answer.text  # a word of documents, not of this form


def test_a_reader_registers_nothing(rafael: User) -> None:
    assert register(rafael, sent("model.pkl")) == 403


def test_archiving_hides_and_restoring_shows(olivia: User) -> None:
    world.model(olivia)
    client = visiting(olivia)
    client.post("/models/diabetes/1/archive/")
    assert ">diabetes<" not in client.get("/models/").text
    assert ">diabetes<" in client.get("/models/?archived=on").text
    client.post("/models/diabetes/1/restore/")
    assert ">diabetes<" in client.get("/models/").text


def body_of(answer: HttpResponseBase) -> bytes:
    """What an asynchronous answer streams."""
    assert isinstance(answer, StreamingHttpResponse)

    async def read() -> bytes:
        return b"".join([chunk async for chunk in answer])

    return asyncio.run(read())


def test_a_model_comes_back_as_a_zip(olivia: User) -> None:
    register(olivia, sent("model.pkl", b"weights"))
    request = RequestFactory().get("/")
    request.user = olivia
    answer = model_download(request, "forest", "1")  # type: ignore[arg-type]
    assert zipfile.ZipFile(io.BytesIO(body_of(answer))).read("model.pkl") == b"weights"
    assert "forest-1.zip" in answer.headers["Content-Disposition"]


def test_words_about_a_version_change(olivia: User) -> None:
    world.model(olivia)
    visiting(olivia).post("/models/diabetes/1/edit/", {"description": "Better words", "tags": ""})
    row = ModelVersion.objects.get()
    assert (row.description, row.tags) == ("Better words", {})


CONDA = "dependencies:\n  - python=3.11\n  - pip:\n      - requests\n"


def test_an_environment_is_registered_from_text(olivia: User) -> None:
    form = {"name": "web", "kind": "conda", "conda_text": CONDA, "requirements": "ignored==1"}
    assert visiting(olivia).post("/new/environment/", form).status_code == 302
    row = EnvironmentVersion.objects.get()
    assert (row.conda_text, row.requirements) == (CONDA, "")


def test_an_environment_is_registered_from_a_file(olivia: User) -> None:
    form = {
        "name": "web",
        "kind": "requirements",
        "requirements_upload": sent("requirements.txt", b"requests==2.32.3\n"),
    }
    assert visiting(olivia).post("/new/environment/", form).status_code == 302
    assert EnvironmentVersion.objects.get().requirements == "requests==2.32.3\n"


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"kind": "conda"}, "Write it here, or upload the file."),
        ({"kind": "image"}, "Name the image."),
        ({"kind": "conda", "conda_text": "dependencies: ["}, "line"),
        ({"kind": "conda", "conda_upload": SimpleUploadedFile("c.yml", b"\xff\xfe\x00")}, "not text in UTF-8"),
    ],
    ids=["no file", "no image", "not YAML", "not text"],
)
def test_an_environment_that_says_nothing_is_refused(form: dict[str, str], reason: str, olivia: User) -> None:
    answer = visiting(olivia).post("/new/environment/", {"name": "web", **form})
    assert answer.status_code == 422
    assert reason in answer.text


def test_a_build_shows_its_warning_failure_and_pythons(olivia: User) -> None:
    world.environment(olivia, "broken", state="Failed")
    answer = visiting(olivia).get("/environments/broken/1/")
    for word in ("Python 3.9 is not on this host", "Add scikit-learn", "3.11.2", "asked for 3.9", "Build again"):
        assert word in answer.text


def test_a_build_names_the_image_it_was_built_on(olivia: User) -> None:
    world.environment(olivia, state="Succeeded")
    EnvironmentBuild.objects.update(target="docker", result={"python": "", "image": "x", "bases": ["local/base:2"]})
    assert "local/base:2" in visiting(olivia).get("/environments/sklearn/1/").text


def test_a_build_is_asked_for(olivia: User) -> None:
    services.register_environment(olivia, name="web", conda_text=CONDA)
    visiting(olivia).post("/environments/web/1/build/")
    assert "Queued" in visiting(olivia).get("/environments/web/").text


def test_polling_a_build_goes_on_until_it_has_ended(olivia: User) -> None:
    world.environment(olivia, "torch", state="Building")
    world.environment(olivia, state="Succeeded")
    client = visiting(olivia, **{"HX-Request": "true"})
    assert client.get("/environments/torch/1/").status_code == 200
    assert client.get("/environments/sklearn/1/").status_code == 286


def test_lists_ask_no_more_for_more_rows(olivia: User, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(20):
        world.model(olivia, f"m-{number}")
        world.environment(olivia, f"e-{number}", state="Succeeded")
    client = visiting(olivia)
    for url in ("/models/", "/environments/"):
        with django_assert_max_num_queries(8):
            client.get(url)


def test_search_finds_what_a_person_may_see(olivia: User, rafael: User, stefan: User) -> None:
    world.workspace(olivia)
    for person in (olivia, rafael):
        hits = visiting(person).get("/search/?q=risk").context["hits"]
        assert [(hit.kind, hit.title) for hit in hits] == [
            ("Online endpoint", "diabetes-risk"),
            ("Model", "diabetes:2"),
        ]
    assert visiting(stefan).get("/search/?q=risk").context["hits"] == []
