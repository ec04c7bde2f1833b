"""Models and environments in the registry."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from endpoints import selectors, services
from endpoints.assets import AssetStore
from endpoints.models import EnvironmentBuild, EnvironmentVersion, ModelVersion
from endpoints.services.store import home
from endpoints.spec.errors import Conflict, Forbidden, Invalid, LimitExceeded, NotFound
from studio.access.models import User
from tests.services import world


def register(actor: User, content: bytes = b"weights", **changes: str) -> ModelVersion:
    return services.register_model(actor, name="forest", upload=world.model(actor, content), **changes)  # type: ignore[arg-type]


def environment(actor: User, conda: str = world.CONDA, **changes: str) -> EnvironmentVersion:
    return services.register_environment(actor, name="scoring", image="base", conda_text=conda, **changes)  # type: ignore[arg-type]


def test_versions_count_up_past_those_that_were_chosen(teammate: User) -> None:
    assert register(teammate, b"1").version == "1"
    assert register(teammate, b"2", version="7").version == "7"
    assert register(teammate, b"3", version="beta").version == "beta"
    assert register(teammate, b"4").version == "8"


def test_a_version_says_what_it_is(teammate: User) -> None:
    row = register(teammate, description="d")
    assert (row.reference, row.root_name, row.is_folder, row.size_bytes) == ("azureml:forest:1", "model.pkl", False, 7)
    assert (row.file_count, row.created_by, row.description) == (1, teammate, "d")


def test_a_version_never_changes_its_files(teammate: User) -> None:
    first = register(teammate, version="1")
    assert register(teammate, version="1").pk == first.pk
    with pytest.raises(Conflict, match="forest:1 exists already"):
        register(teammate, b"others", version="1")


def test_the_same_files_are_stored_once(teammate: User) -> None:
    digests = {register(teammate).tree_digest, register(teammate).tree_digest}
    assert len(digests) == 1
    assert AssetStore(home().blobs).has(digests.pop())


def test_archived_versions_leave_lists_and_latest_and_come_back(teammate: User) -> None:
    register(teammate, b"1")
    register(teammate, b"2")
    services.archive_model(teammate, name="forest", version="2")
    assert selectors.get_model_version(teammate, "forest").version == "1"
    services.archive_model(teammate, name="forest")
    assert not selectors.models_for(teammate)
    with pytest.raises(NotFound, match="All versions"):
        selectors.get_model_version(teammate, "forest")
    services.restore_model(teammate, name="forest")
    assert selectors.get_model_version(teammate, "forest", "latest").version == "2"


def test_description_and_tags_may_change_and_nothing_else(teammate: User) -> None:
    register(teammate)
    row = services.update_model(teammate, name="forest", version="1", tags={"a": "b"})
    assert (row.tags, row.description) == ({"a": "b"}, "")


def test_a_download_is_a_zip_of_what_was_registered(teammate: User) -> None:
    services.register_model(teammate, name="forest", upload=world.upload(teammate, {"f/a": b"1", "f/b/c": b"2"}))
    download = services.open_model_archive(teammate, name="forest")
    with zipfile.ZipFile(io.BytesIO(b"".join(download.chunks))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"f/a": b"1", "f/b/c": b"2"}
    assert download.file_name == "forest-1.zip"


def test_an_unfinished_upload_is_no_model(teammate: User) -> None:
    upload = services.begin_upload(teammate, purpose="model", root_name="m", is_folder=False)
    with pytest.raises(Invalid, match="not complete"):
        services.register_model(teammate, name="forest", upload=upload)


def test_nobody_registers_the_upload_of_another(teammate: User, owner: User) -> None:
    with pytest.raises(NotFound, match="You have no upload"):
        services.register_model(owner, name="forest", upload=world.model(teammate))


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "ä"])
def test_a_name_can_be_a_folder(teammate: User, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        services.register_model(teammate, name=name, upload=world.model(teammate))
    assert refused.value.details[0].field == "name"


def test_an_environment_keeps_the_file_as_it_was_written(teammate: User) -> None:
    row = environment(teammate, "# pinned by hand\n" + world.CONDA)
    assert row.conda_text.startswith("# pinned by hand\n")
    assert row.conda and row.conda["name"] == "scoring"
    assert len(row.build_key) == 64


def test_the_same_content_is_the_same_build(teammate: User) -> None:
    assert environment(teammate).build_key == environment(teammate, "# comment\n" + world.CONDA).build_key
    assert environment(teammate, world.CONDA.replace("1.4.2", "1.4.0")).build_key != environment(teammate).build_key


def test_an_environment_version_never_changes(teammate: User) -> None:
    first = environment(teammate, version="1")
    assert environment(teammate, version="1").pk == first.pk
    with pytest.raises(Conflict, match="has other content"):
        environment(teammate, world.CONDA.replace("1.4.2", "1.4.0"), version="1")


def test_requirements_need_no_image(teammate: User) -> None:
    row = services.register_environment(teammate, name="lean", requirements="joblib==1.4.2")
    assert row.requirements == "joblib==1.4.2\n"


@pytest.mark.parametrize(
    ("conda", "field"),
    [("dependencies: [", "conda_file"), ("dependencies:\n  - python=3.11\n  - pip:\n      - 'a b c'\n", "conda_file")],
)
def test_a_file_that_cannot_be_read_names_its_field(teammate: User, conda: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        environment(teammate, conda + "\n")
    assert refused.value.details[0].field.startswith(field)
    assert not EnvironmentVersion.objects.exists()


def test_a_build_context_has_azures_limits(teammate: User) -> None:
    files = {f"ctx/{number}": b"" for number in range(101)}
    context = world.upload(teammate, files, purpose="environment-context")
    with pytest.raises(LimitExceeded, match="100 files"):
        services.register_environment(teammate, name="own", context=context)


def test_a_build_is_asked_for_once(teammate: User) -> None:
    environment(teammate)
    first = services.request_build(teammate, name="scoring")
    assert (first.state, services.request_build(teammate, name="scoring", version="1").pk) == ("Queued", first.pk)


def test_readers_read_and_strangers_are_refused(teammate: User, reader: User, stranger: User) -> None:
    register(teammate)
    assert selectors.get_model_version(reader, "forest")
    with pytest.raises(Forbidden, match="models/write"):
        services.archive_model(reader, name="forest")
    for name in ("forest", "none"):  # the same answer, whether it exists or not
        with pytest.raises(Forbidden, match="models/read"):
            services.open_model_archive(stranger, name=name)


def test_a_build_that_failed_is_queued_again(teammate: User, django_capture_on_commit_callbacks: Any) -> None:
    services.register_environment(teammate, name="scoring", requirements="joblib")
    build = services.request_build(teammate, name="scoring")
    EnvironmentBuild.objects.update(state="Failed", failure={"code": "ImageBuildFailure"})
    with django_capture_on_commit_callbacks() as callbacks:
        again = services.request_build(teammate, name="scoring")
    assert (again.pk, again.state, again.failure, len(callbacks)) == (build.pk, "Queued", None, 1)
