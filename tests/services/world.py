"""Things to deploy: code, a model and an environment as a person would send them. Nothing here is stored by hand."""

from __future__ import annotations

import io
from collections.abc import Mapping

from endpoints import services
from endpoints.models import Operation, Upload
from studio.access.models import User

CONDA = "name: scoring\nchannels:\n  - conda-forge\ndependencies:\n  - python=3.11\n  - pip:\n      - joblib==1.4.2\n"
SCRIPT = b"def init():\n    pass\n\n\ndef run(raw_data):\n    return raw_data\n"
TYPE = "Standard_DS3_v2"  # 4 cores


def upload(actor: User, files: Mapping[str, bytes], *, purpose: str = "model", unpack: bool = False) -> Upload:
    streams = [(path, io.BytesIO(content)) for path, content in files.items()]
    return services.upload_from_files(actor, files=streams, purpose=purpose, unpack=unpack)


def code(actor: User, script: bytes = SCRIPT) -> Upload:
    return upload(actor, {"onlinescoring/score.py": script}, purpose="code")


def model(actor: User, content: bytes = b"weights") -> Upload:
    return upload(actor, {"model.pkl": content})


def deployment_document(actor: User, **changes: object) -> dict[str, object]:
    """A deployment with everything inline, as the tutorial's first one."""
    document: dict[str, object] = {
        "name": "blue",
        "endpoint_name": "risk",
        "model": {"path": f"upload:{model(actor).pk}"},
        "code_configuration": {"code": f"upload:{code(actor).pk}", "scoring_script": "score.py"},
        "environment": {"conda_file": CONDA, "image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest"},
        "instance_type": TYPE,
        "instance_count": 1,
    }
    return {key: value for key, value in {**document, **changes}.items() if value is not None}


def endpoint(actor: User, name: str = "risk") -> None:
    services.create_endpoint(actor, document={"name": name})


def deploy(actor: User, **changes: object) -> Operation:
    return services.create_deployment(actor, document=deployment_document(actor, **changes))


MLMODEL = (
    b"flavors:\n  python_function:\n    env: conda.yaml\n    loader_module: mlflow.sklearn\nmlflow_version: 3.1.0\n"
)
MLFLOW_CONDA = b"dependencies:\n  - python=3.11.7\n  - pip:\n      - mlflow==3.1.0\n"


def mlflow_model(actor: User, **files: bytes) -> Upload:
    """A folder as MLflow saves it; `files` by name without their suffix (MLmodel, conda) replace its own."""
    found = {"model/MLmodel": MLMODEL, "model/conda.yaml": MLFLOW_CONDA, "model/model.pkl": b"weights"}
    names = {"mlmodel": "model/MLmodel", "conda": "model/conda.yaml"}
    return upload(actor, {**found, **{names[key]: content for key, content in files.items()}})
