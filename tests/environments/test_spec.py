"""The key of a build: the same content, the same key, whatever it is called."""

from __future__ import annotations

import pytest

from endpoints.environments import EnvironmentSpec, build_key
from endpoints.spec.errors import Invalid

BASE = {"dependencies": ["python=3.11", "numpy=1.26", {"pip": ["joblib", "Flask>=2"]}]}
KEY = build_key(EnvironmentSpec(image="base:1", conda=BASE))


def key(conda: dict[str, object], *, image: str = "base:1") -> str:
    return build_key(EnvironmentSpec(image=image, conda={**BASE, **conda}))


def test_a_key_is_a_digest_and_stays_the_same():
    assert len(KEY) == 64
    assert key({}) == KEY


@pytest.mark.parametrize(
    "conda",
    [
        {"name": "another"},
        {"channels": ["conda-forge", "defaults"]},
        {"channels": ["defaults", "conda-forge"]},
        {"dependencies": ["numpy=1.26", "python=3.11", {"pip": ["flask >= 2", "JobLib"]}]},
        {"dependencies": ["python=3.11", {"pip": ["joblib", "flask>=2", "numpy==1.26.*"]}]},
        {"dependencies": ["python=3.11.*", "numpy=1.26", "nomkl", {"pip": ["joblib", "Flask>=2"]}]},
    ],
)
def test_names_channels_spelling_and_order_change_nothing(conda: dict[str, object]):
    assert key(conda) == KEY


@pytest.mark.parametrize(
    "conda",
    [
        {"dependencies": ["python=3.12", "numpy=1.26", {"pip": ["joblib", "Flask>=2"]}]},
        {"dependencies": ["python=3.11", "numpy=1.25", {"pip": ["joblib", "Flask>=2"]}]},
        {"dependencies": ["python=3.11", "numpy=1.26", {"pip": ["joblib", "Flask>=3"]}]},
        {"dependencies": ["python=3.11", "numpy=1.26", {"pip": ["joblib", "Flask>=2", "--pre"]}]},
    ],
)
def test_versions_packages_and_options_change_it(conda: dict[str, object]):
    assert key(conda) != KEY


def test_the_image_changes_it():
    assert key({}, image="base:2") != KEY


def test_the_order_of_indexes_changes_it_for_earlier_ones_win():
    first = EnvironmentSpec(requirements="--extra-index-url https://a.example\n--extra-index-url https://b.example\nx")
    second = EnvironmentSpec(requirements="--extra-index-url https://b.example\n--extra-index-url https://a.example\nx")
    assert build_key(first) != build_key(second)


def test_a_document_that_says_nothing_buildable_has_no_key():
    with pytest.raises(Invalid, match=r"conda_file\.dependencies\[0\].*\(and 1 more\)"):
        build_key(EnvironmentSpec(conda={"dependencies": [1, 2]}))
