"""Writes and reads the records of a studio in a data folder of its own, from outside its processes.

Run as `python -m tests.control.records <verb> …` with SLIPWAY_HOME set; prints JSON.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")

SCRIPT = """
import time

def init():
    time.sleep({init_s})

def run(data):
    return {{"said": data}}
"""


def create(count: int, init_s: float) -> object:
    """Deployments as services would record them, each on an endpoint of its own, all on the tests' own environment."""
    from django.conf import settings

    from endpoints.assets import AssetStore
    from endpoints.models import Environment, EnvironmentBuild, EnvironmentVersion
    from endpoints.spec.home import Home

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "score.py").write_text(SCRIPT.format(init_s=init_s), encoding="utf-8")
        code = AssetStore(Home(settings.SLIPWAY_HOME).blobs).add_tree(Path(folder))
    environment = Environment.objects.create(name="tests")
    version = EnvironmentVersion.objects.create(environment=environment, version="1", build_key="e" * 64)
    EnvironmentBuild.objects.create(key="e" * 64, state="Succeeded", result={"python": sys.executable, "image": ""})
    return [_deployment(f"e{number}", version, code.digest) for number in range(count)]


def _deployment(endpoint: str, version: Any, code_digest: str) -> int:
    from endpoints.models import DeploymentRevision, OnlineDeployment, OnlineEndpoint, Operation, OperationStep

    row = OnlineEndpoint.objects.create(name=endpoint, traffic={"blue": 100})
    deployment = OnlineDeployment.objects.create(endpoint=row, name="blue", instance_type="Standard_DS3_v2")
    spec = {"code_configuration": {"code": f"tree:{code_digest}", "scoring_script": "score.py"}}
    DeploymentRevision.objects.create(
        deployment=deployment, number=1, spec=spec, environment_version=version, code_digest=code_digest
    )
    operation = Operation.objects.create(
        kind="CreateDeployment", endpoint_name=endpoint, deployment_name="blue", generation=1
    )
    for order, key in enumerate(("environment", "staged", "started", "ready")):
        OperationStep.objects.create(operation=operation, order=order, key=key, title=key)
    return deployment.pk


def delete() -> object:
    """Ask for the end of everything."""
    from django.utils import timezone

    from endpoints.models import OnlineDeployment, OnlineEndpoint

    OnlineDeployment.objects.update(deletion_requested_at=timezone.now())
    return OnlineEndpoint.objects.update(deletion_requested_at=timezone.now())


def states() -> object:
    """Of every deployment: its state, its failure, and its instances' states."""
    from endpoints.models import OnlineDeployment

    return [
        {
            "state": str(row.provisioning_state),
            "failure": row.failure,
            "instances": sorted(row.instances.values_list("state", flat=True)),
        }
        for row in OnlineDeployment.objects.select_related("endpoint").order_by("pk")
    ]


if __name__ == "__main__":
    django.setup()
    verb, *arguments = sys.argv[1:]
    verbs: dict[str, Callable[..., object]] = {
        "create": lambda count, init_s: create(int(count), float(init_s)),
        "delete": delete,
        "states": states,
    }
    print(json.dumps(verbs[verb](*arguments)))
