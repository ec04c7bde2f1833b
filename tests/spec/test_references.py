"""How documents name assets and files."""

from __future__ import annotations

import pytest

from endpoints.spec.references import AssetReference, FileLocation, LocationKind, parse_location, parse_reference

ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/models/m/versions/3"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("azureml:my-model:1", AssetReference("my-model", "1")),
        ("azureml:my-model@latest", AssetReference("my-model", label="latest")),
        (ARM, AssetReference("m", "3")),
        (f"azureml:/{ARM}", AssetReference("m", "3")),
    ],
)
def test_registered_assets_are_named(text: str, reference: AssetReference):
    assert parse_reference(text) == reference


@pytest.mark.parametrize("reference", [AssetReference("a", "1"), AssetReference("a", label="latest")])
def test_a_reference_prints_as_it_is_read(reference: AssetReference):
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("azureml:m", "Version must be provided."),
        ("azureml:m:", "Version must be provided."),
        ("m:1", "write azureml:m:1"),
        ("./model", "write azureml:./model:<version>"),
        ("azureml://registries/r/models/m/versions/1", "no registry 'r'"),
        ("azureml://jobs/1/outputs/artifacts/x", "not on this studio"),
        ("azureml:../x:1", "A name is"),
        ("azureml:m:1/2", "A version is"),
        ("azureml::1", "A name is"),
    ],
)
def test_what_is_no_reference_says_what_to_write(text: str, part: str):
    with pytest.raises(ValueError, match=r".") as caught:
        parse_reference(text)
    assert part in str(caught.value)


def test_files_are_paths_uploads_or_trees():
    assert parse_location("./model") == FileLocation(LocationKind.PATH, "./model")
    assert parse_location("upload:1") == FileLocation(LocationKind.UPLOAD, "1")
    assert parse_location("tree:ab").as_text() == "tree:ab"
    assert parse_location("./model").is_local
