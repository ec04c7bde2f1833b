"""The sample of a first start: environment, model, endpoint and deployment, by the same verbs a person uses.

Every step may be repeated: what is there already is taken as it is.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings

from endpoints.models import EnvironmentBuild, EnvironmentVersion, ModelVersion, Operation
from endpoints.selectors import get_environment_version, get_model_version
from endpoints.services import credentials, deployments, registry, uploads
from endpoints.services import endpoints as endpoint_verbs
from endpoints.services import environments as environment_verbs
from endpoints.spec.errors import Conflict, NotFound
from endpoints.spec.states import OperationState
from studio.access.models import User

FOLDER = settings.BASE_DIR / "samples" / "diabetes"
NAME = "diabetes"
ENDPOINT = "sample"
DEPLOYMENT = "blue"
BUILD_WITHIN_S = 900.0
DEPLOY_WITHIN_S = 300.0
LOOK_EVERY_S = 0.1

Say = Callable[[str], None]


class SampleFailed(Exception):
    """The sample could not be deployed; the message says at which step and why."""


def deploy_sample(actor: User, say: Say) -> str:
    """Deploy the sample and return the command line that scores it."""
    environment = _environment(actor)
    python = _built(actor, environment, say)
    model = _model(actor, python, say)
    _endpoint(actor)
    _deployment(actor, model, environment, say)
    return _curl(actor)


def _environment(actor: User) -> EnvironmentVersion:
    with contextlib.suppress(NotFound):
        return get_environment_version(actor, NAME, "1")
    return environment_verbs.register_environment(
        actor,
        name=NAME,
        version="1",
        conda_text=(FOLDER / "environment" / "conda.yaml").read_text(encoding="utf-8"),
        description="scikit-learn, for the sample.",
    )


def _built(actor: User, environment: EnvironmentVersion, say: Say) -> Path:
    """Wait for the worker's build; the environment's Python."""
    build = environment_verbs.request_build(actor, name=NAME, version=environment.version)
    for seconds in _patience(BUILD_WITHIN_S):
        build = EnvironmentBuild.objects.get(pk=build.pk)
        if build.state == "Succeeded":
            say(f"  environment {NAME}:{environment.version} built ({seconds:.1f} s)")
            return Path((build.result or {})["python"])
        if build.state in {"Failed", "Canceled"}:
            raise SampleFailed(f"its environment was not built: {(build.failure or {}).get('message', build.state)}")
    raise SampleFailed(f"its environment was not built within {BUILD_WITHIN_S:g} s")


def _model(actor: User, python: Path, say: Say) -> ModelVersion:
    with contextlib.suppress(NotFound):
        return get_model_version(actor, NAME, "1")
    folder = settings.SLIPWAY_HOME / "sample" / "model"
    trained = subprocess.run(
        [python, FOLDER / "train.py", folder], capture_output=True, text=True, check=False, timeout=120
    )
    if trained.returncode:
        raise SampleFailed(f"training its model failed: {trained.stderr.strip().splitlines()[-1:]}")
    with contextlib.ExitStack() as stack:
        files = [(f"model/{path.name}", stack.enter_context(path.open("rb"))) for path in sorted(folder.iterdir())]
        upload = uploads.upload_from_files(actor, files=files, purpose="model")
    model = registry.register_model(
        actor,
        name=NAME,
        version="1",
        upload=upload,
        description="Linear regression on ten features.",
        properties={"sample_request": _request()},  # what the test panel and the samples of calls begin with
    )
    say(f"  model {NAME}:{model.version} trained and registered")
    return model


def _endpoint(actor: User) -> None:
    with contextlib.suppress(Conflict):
        endpoint_verbs.create_endpoint(
            actor, document={"name": ENDPOINT, "description": "Came with the studio; delete it when you like."}
        )


def _deployment(actor: User, model: ModelVersion, environment: EnvironmentVersion, say: Say) -> None:
    script = FOLDER / "onlinescoring" / "score.py"
    with script.open("rb") as stream:
        code = uploads.upload_from_files(actor, files=[("onlinescoring/score.py", stream)], purpose="code")
    document = {
        "name": DEPLOYMENT,
        "endpoint_name": ENDPOINT,
        "model": model.reference,
        "environment": environment.reference,
        "code_configuration": {"code": f"upload:{code.pk}", "scoring_script": script.name},
        "instance_type": "Standard_DS3_v2",
        "instance_count": 1,
    }
    try:
        operation = deployments.create_deployment(actor, document=document, all_traffic=True)
    except Conflict:
        return
    for seconds in _patience(DEPLOY_WITHIN_S):
        operation = Operation.objects.get(pk=operation.pk)
        if operation.state == OperationState.SUCCEEDED:
            say(f"  deployment {ENDPOINT}/{DEPLOYMENT} answers ({seconds:.1f} s)")
            return
        if operation.state != OperationState.RUNNING:
            raise SampleFailed((operation.failure or {}).get("message", operation.state))
    raise SampleFailed(f"its deployment was not ready within {DEPLOY_WITHIN_S:g} s")


def _curl(actor: User) -> str:
    key = credentials.get_credentials(actor, name=ENDPOINT).to_json()["primaryKey"]
    return (
        f"curl -X POST {settings.SLIPWAY_GATEWAY_URL}/{ENDPOINT}/score"
        f" -H 'Authorization: Bearer {key}'"
        f" -H 'Content-Type: application/json' -d '{_request()}'"
    )


def _request() -> str:
    return (FOLDER / "sample-request.json").read_text(encoding="utf-8").strip()


def _patience(limit_s: float) -> Iterator[float]:
    """Look again and again, with the seconds passed, until the limit."""
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < limit_s:
        yield passed
        time.sleep(LOOK_EVERY_S)
