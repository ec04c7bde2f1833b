"""Environments as images, really built on an engine from packages in a folder."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from endpoints.environments import BuildCanceled, BuildFailed, EnvironmentSpec, build_key
from endpoints.environments.builders import builder_for
from endpoints.environments.image_builder import PYTHON_IN_IMAGE, ImageBuilder
from endpoints.environments.image_map import ImageMap, image_map
from endpoints.environments.venv_builder import VenvBuilder
from endpoints.spec.home import Home
from endpoints.spec.loglines import LogLine, read
from tests.backends.contract.harness import BASE_IMAGE, engine

MCR = "mcr.example/azureml/openmpi:latest"


@pytest.fixture
def client() -> docker.DockerClient:
    return engine()


@pytest.fixture
def built(client: docker.DockerClient, tmp_path: Path) -> Iterator[list[EnvironmentSpec]]:
    """Specs whose images are removed after the test."""
    specs: list[EnvironmentSpec] = []
    yield specs
    for spec in specs:
        ImageBuilder(Home(tmp_path / "home"), client=client).remove(build_key(spec))


@pytest.fixture
def builder(client: docker.DockerClient, tmp_path: Path, wheels: Path) -> ImageBuilder:
    environ = {
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": "/dev/null",
        "UV_FIND_LINKS": str(wheels),
        "UV_NO_INDEX": "1",
        "UV_INDEX_INTERNAL_PASSWORD": "s3cret",
    }
    images = ImageMap({"mcr.example/azureml/*": BASE_IMAGE}, default=BASE_IMAGE)
    return ImageBuilder(Home(tmp_path / "home"), client=client, environ=environ, images=images)


def says(client: docker.DockerClient, image: str, code: str) -> str:
    output = client.containers.run(image, [PYTHON_IN_IMAGE, "-c", code], remove=True)
    return bytes(output).decode().strip()


@pytest.mark.docker
def test_what_is_asked_for_can_be_imported_in_the_image(
    builder: ImageBuilder, client: docker.DockerClient, built: list[EnvironmentSpec]
):
    built.append(spec := EnvironmentSpec(requirements="greeting==1.0"))
    lines: list[LogLine] = []
    result = builder.build(spec, log=lines.append)
    assert says(client, result.image, "import greeting; print(greeting.VERSION)") == "1.0"
    assert any("+ greeting==1.0" in line.message for line in lines)
    assert [line.message for line in read(builder.log_file(result.key))] == [line.message for line in lines]


@pytest.mark.docker
def test_a_second_build_does_nothing(builder: ImageBuilder, built: list[EnvironmentSpec]):
    built.append(spec := EnvironmentSpec(requirements="greeting"))
    first = builder.build(spec)
    lines: list[LogLine] = []
    second = builder.build(spec, log=lines.append)
    assert (second.image, second.python_used, lines) == (first.image, first.python_used, [])
    assert second.is_cached and not first.is_cached


@pytest.mark.docker
def test_a_changed_line_is_a_layer_on_the_image_that_is_there_and_leaves_exactly_what_was_asked_for(
    builder: ImageBuilder, client: docker.DockerClient, built: list[EnvironmentSpec]
):
    specs = [EnvironmentSpec(requirements=f"greeting=={version}\n") for version in ("1.0", "2.0")]
    built += specs
    first, lines = builder.build(specs[0]), list[LogLine]()
    second = builder.build(specs[1], log=lines.append)
    assert any("Beginning with an image" in line.message for line in lines)
    layers = [client.images.get(each.image).attrs["RootFS"]["Layers"] for each in (first, second)]
    assert layers[1][: len(layers[0])] == layers[0]
    assert says(client, second.image, "import greeting; print(greeting.VERSION)") == "2.0"
    assert says(client, first.image, "import greeting; print(greeting.VERSION)") == "1.0"
    assert second.python_used == first.python_used


@pytest.mark.docker
def test_no_bytecode_of_a_removed_package_stays(
    builder: ImageBuilder, client: docker.DockerClient, built: list[EnvironmentSpec]
):
    """uv leaves that of a module without a folder, and Python takes it for its successor's of that second and size."""
    specs = [EnvironmentSpec(requirements=text) for text in ("greeting==1.0\npolite==1.0\n", "greeting==1.0\n")]
    built += specs
    both, one = (builder.build(spec) for spec in specs)
    code = (
        "import greeting; from pathlib import Path; "
        "print(*sorted(p.name.split('.')[0] for p in (Path(greeting.__file__).parent / '__pycache__').iterdir()))"
    )
    assert (says(client, both.image, code), says(client, one.image, code)) == ("greeting polite", "greeting")


@pytest.mark.docker
def test_nothing_that_was_lent_stays_in_the_image(
    builder: ImageBuilder, client: docker.DockerClient, built: list[EnvironmentSpec]
):
    built.append(spec := EnvironmentSpec(requirements="greeting==2.0"))
    image = client.images.get(builder.build(spec).image)
    assert "slipway.made-of" in image.labels
    assert "s3cret" not in repr(image.attrs) + repr(image.history())
    assert not image.attrs["Config"].get("Volumes")
    left = "from pathlib import Path; print([p for p in Path('/build').rglob('*') if p.is_file() and p.stat().st_size])"
    assert says(client, str(image.id), left) == "[]"


@pytest.mark.docker
def test_a_base_that_is_not_here_is_replaced_as_the_admin_says_with_a_warning(
    builder: ImageBuilder, built: list[EnvironmentSpec]
):
    built.append(spec := EnvironmentSpec(image=MCR, requirements="greeting"))
    result = builder.build(spec)
    assert result.warnings == (f"{MCR} is not on this host; the image map says to use {BASE_IMAGE}.",)
    assert result.bases == builder.build(spec).bases == (BASE_IMAGE,)


@pytest.mark.docker
def test_another_python_than_the_images_is_a_warning(builder: ImageBuilder, built: list[EnvironmentSpec]):
    built.append(spec := EnvironmentSpec(conda={"dependencies": ["python=3.99", "greeting"]}))
    result = builder.build(spec)
    assert "Python 3.99 is not in the image" in result.warnings[0]
    assert result.python_used.startswith("3.")


@pytest.mark.docker
def test_what_cannot_be_satisfied_fails_with_its_cause(builder: ImageBuilder):
    with pytest.raises(BuildFailed) as caught:
        builder.build(EnvironmentSpec(requirements="no-such-package"))
    assert "There is no package 'no-such-package'" in caught.value.failure.message


@pytest.mark.docker
def test_a_base_nobody_has_fails_with_what_to_do(builder: ImageBuilder):
    with pytest.raises(BuildFailed) as caught:
        builder.build(EnvironmentSpec(image="localhost:1/no/such:image"))
    assert "cannot be pulled" in caught.value.failure.message
    assert "SLIPWAY_IMAGE_MAP" in caught.value.failure.advice


@pytest.mark.docker
def test_a_build_can_be_cancelled_and_leaves_no_container(builder: ImageBuilder, client: docker.DockerClient):
    begun = threading.Event()
    spec = EnvironmentSpec(requirements="greeting")
    with pytest.raises(BuildCanceled):
        builder.build(spec, log=lambda line: begun.set(), is_cancelled=begun.is_set)
    assert builder.find(spec) is None
    assert client.containers.list(all=True, filters={"name": build_key(spec)[:32]}) == []


@pytest.mark.docker
def test_a_build_container_that_cannot_start_is_not_left_behind(
    builder: ImageBuilder, client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
):
    def refuse(_: object) -> None:
        raise docker.errors.APIError("no bridge")

    monkeypatch.setattr("docker.models.containers.Container.start", refuse)
    spec = EnvironmentSpec(requirements="greeting")
    with pytest.raises(BuildFailed, match="The Docker engine refused: no bridge"):
        builder.build(spec)
    assert client.containers.list(all=True, filters={"name": builder._builder_name(build_key(spec))}) == []


def context(builder: ImageBuilder, folder: Path, dockerfile: str) -> EnvironmentSpec:
    folder.mkdir()
    (folder / "Dockerfile").write_text(dockerfile)
    (folder / "note.txt").write_text("from the context")
    return EnvironmentSpec(context_digest=builder._store.add_tree(folder).digest)


@pytest.mark.docker
def test_a_dockerfile_of_the_users_own_is_built_on_a_base_that_is_here(
    builder: ImageBuilder, client: docker.DockerClient, built: list[EnvironmentSpec], tmp_path: Path
):
    built.append(spec := context(builder, tmp_path / "c", f"FROM {MCR}\nCOPY note.txt /note.txt\nENV GREETING=hi\n"))
    lines: list[LogLine] = []
    result = builder.build(spec, log=lines.append)
    code = "import os; print(open('/note.txt').read(), os.environ['GREETING'])"
    assert says(client, result.image, code) == "from the context hi"
    assert any(line.message.startswith("Step 2/3 : COPY") for line in lines)
    assert result.bases == (BASE_IMAGE,)
    assert MCR in result.warnings[0]


@pytest.mark.docker
def test_the_failing_line_of_a_dockerfile_is_the_error(builder: ImageBuilder, tmp_path: Path):
    spec = context(builder, tmp_path / "c", f"FROM {BASE_IMAGE}\nRUN echo before && exit 7\n")
    with pytest.raises(BuildFailed) as caught:
        builder.build(spec)
    assert caught.value.failure.message.startswith("Step 2/2 : RUN echo before && exit 7 failed")
    assert "before" in caught.value.failure.log_tail


@pytest.mark.docker
def test_a_step_that_says_nothing_can_be_cancelled_and_leaves_no_container(
    builder: ImageBuilder, client: docker.DockerClient, tmp_path: Path
):
    mark = uuid.uuid4().hex
    spec = context(builder, tmp_path / "c", f"FROM {BASE_IMAGE}\nRUN sleep 600 # {mark}\n")
    begun = threading.Event()

    def note(line: LogLine) -> None:
        if line.message.startswith("Step 2/2"):
            begun.set()

    with pytest.raises(BuildCanceled):
        builder.build(spec, log=note, is_cancelled=begun.is_set)
    deadline = time.monotonic() + 20

    def steps() -> list[str]:
        return [str(each.attrs["Config"]["Cmd"]) for each in client.containers.list(all=True, ignore_removed=True)]

    while any(mark in step for step in steps()):
        assert time.monotonic() < deadline, "the engine goes on with the step"
        time.sleep(0.1)


def test_an_engine_that_is_away_is_a_failure_with_what_to_do(tmp_path: Path):
    away = docker.DockerClient(base_url=f"unix://{tmp_path}/none.sock", version="1.41", timeout=1)
    with pytest.raises(BuildFailed, match="Docker engine"):
        ImageBuilder(Home(tmp_path), client=away, environ={}).build(EnvironmentSpec(image="x"))


def test_the_image_map_is_read_from_the_environment():
    found = image_map({"SLIPWAY_IMAGE_MAP": "mcr.example/azureml/*=base:1, *=base:2", "SLIPWAY_BASE_IMAGE": "base:3"})
    assert [found.stand_in("mcr.example/azureml/x:1"), found.stand_in("other"), found.default] == [
        "base:1",
        "base:2",
        "base:3",
    ]
    assert ImageMap().stand_in("x") == ""


def test_each_target_has_its_builder(tmp_path: Path):
    assert isinstance(builder_for("docker", Home(tmp_path)), ImageBuilder)
    assert isinstance(builder_for("process", Home(tmp_path)), VenvBuilder)
