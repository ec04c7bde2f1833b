"""The base image: made of Debian packages on a real engine, once."""

from __future__ import annotations

from collections.abc import Iterator
from shutil import which

import pytest

from endpoints.environments import EnvironmentSpec
from endpoints.environments.base_image import LABEL, BaseImage, build_base
from endpoints.environments.image_builder import ImageBuilder
from endpoints.environments.image_map import ImageMap, image_map
from endpoints.spec.errors import Invalid
from endpoints.spec.home import Home
from tests.backends.contract.harness import engine
from tests.conftest import need

TAG = "slipway-base-test:made"
AZURE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest"
on_docker = [pytest.mark.docker, pytest.mark.slow]


def test_azures_images_are_stood_in_for_by_the_local_base_unless_an_admin_says_otherwise():
    assert image_map({}).stand_in(AZURE) == "slipway-base:py3.11"
    assert image_map({"SLIPWAY_BASE_IMAGE": "ours:1"}).stand_in(AZURE) == "ours:1"
    assert image_map({"SLIPWAY_IMAGE_MAP": f"{AZURE}=exact:1"}).stand_in(AZURE) == "exact:1"
    assert image_map({"SLIPWAY_IMAGE_MAP": "mcr.microsoft.com/azureml/*=mine:1"}).stand_in(AZURE) == "mine:1"
    assert image_map({}).stand_in("python:3.11") == ""


@pytest.fixture(scope="module")
def made() -> Iterator[BaseImage]:
    client = engine()
    need("docker", is_there=which("apt-get") is not None, reason="this host has no Debian packages")
    yield build_base(tag=TAG, client=client)
    client.images.remove(TAG, force=True)


class TestOnAnEngine:
    pytestmark = on_docker

    def test_the_base_has_python_with_certificates_a_shell_and_pip(self, made: BaseImage):
        code = "import ssl, sqlite3, ctypes, lzma, bz2; print(len(ssl.create_default_context().get_ca_certs()) > 50)"
        said = engine().containers.run(TAG, ["sh", "-c", f"python -c '{code}' && pip --version"], remove=True)
        assert made.is_new
        assert said.decode().startswith("True\npip ")

    def test_a_second_time_makes_nothing(self, made: BaseImage):
        lines: list[str] = []
        again = build_base(tag=TAG, client=engine(), say=lines.append)
        assert (again.is_new, again.image) == (False, made.image)
        assert lines == [f"{TAG} is there, made of the same packages."]
        assert engine().images.get(TAG).labels[LABEL]

    def test_an_environment_is_built_on_it_and_says_so(self, made: BaseImage, tmp_path):
        images = ImageMap(patterns={"mcr.microsoft.com/azureml/*": TAG})
        builder, lines = ImageBuilder(Home(tmp_path), client=engine(), images=images), []
        built = builder.build(EnvironmentSpec(image=AZURE), log=lambda line: lines.append(line.message))
        builder.remove(built.key)
        assert any(TAG in warning for warning in built.warnings)
        assert f"Building on {TAG}." in lines

    def test_a_package_that_does_not_exist_is_named(self, made: BaseImage):
        with pytest.raises(Invalid, match="slipway-no-such-package"):
            build_base(tag=f"{TAG}-2", packages=["slipway-no-such-package"], client=engine())
