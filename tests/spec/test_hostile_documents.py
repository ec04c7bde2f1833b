"""Whatever stands in a document, the answer is a value or a refusal that says where; never another exception."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints.spec.documents import (
    EnvironmentDocument,
    ModelDocument,
    OnlineDeploymentDocument,
    OnlineEndpointDocument,
)
from endpoints.spec.errors import Invalid
from endpoints.spec.schema import Document
from endpoints.spec.yaml_reader import read_yaml

WORDS = """
name endpoint_name model environment code_configuration code scoring_script path type version image conda_file
build instance_type instance_count request_settings request_timeout_ms liveness_probe period traffic tags
mirror_traffic scale_settings data_collector collections enabled sampling_rate resources limits identity
inference_config liveness_route port environment_variables auth_mode compute
"""
KEYS = st.sampled_from(WORDS.split()) | st.text(max_size=5)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["azureml:m:1", "azureml:m@latest", "key", "managed", "upload:1", "blue", "true"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)
DOCUMENTS = [OnlineDeploymentDocument, OnlineEndpointDocument, ModelDocument, EnvironmentDocument]


@pytest.mark.parametrize("shape", DOCUMENTS)
@settings(max_examples=60, deadline=None)
@given(values=st.dictionaries(KEYS, VALUES, max_size=10))
def test_any_values_give_a_document_or_a_refusal(shape: type[Document], values: dict[str, Any]):
    try:
        document = shape.read(values)
    except Invalid as refusal:
        assert refusal.details
        assert all(detail.message for detail in refusal.details)
    else:
        assert shape.read(document.to_json()) == document


@settings(max_examples=150, deadline=None)
@given(text=st.text(alphabet="abc:-[]{}&*!#|>'\"%@`,? \n\t\0<1", max_size=40))
def test_any_text_gives_values_or_a_refusal(text: str):
    try:
        source = read_yaml(text)
    except Invalid as refusal:
        assert refusal.message
    else:
        assert isinstance(source.values, dict)
