"""Deployments that cannot work, each made for real: what is wrong with it, and what a person must be told."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from endpoints.cli.client import StudioClient

FINE_INIT = "def init():\n    pass\n\n\n"
FINE_RUN = "\n\ndef run(raw_data):\n    return 1\n"
FINE = f"{FINE_INIT.rstrip()}\n{FINE_RUN}"
PLAIN = "dependencies:\n  - python=3.11\n  - pip\n"
FAIL_WITHIN_S = 150.0


@dataclass(frozen=True)
class Broken:
    """One cause. `script` is score.py; `changes` go into an otherwise good document.

    code, says, line, advises: what its failure must hold; `says` and `advises` are parts of the sentences.
    """

    name: str
    code: str
    says: str
    advises: str
    script: str = FINE
    line: int | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    model: bytes | None = None


def with_packages(*lines: str) -> dict[str, Any]:
    """A document's environment with these pip lines."""
    listed = "".join(f"      - {line}\n" for line in lines)
    return {"environment": {"image": "any", "conda_file": f"{PLAIN}  - pip:\n{listed}"}}


def upload(client: StudioClient, purpose: str, name: str, content: bytes) -> str:
    """A folder with one file, or for a model the file itself."""
    is_folder = purpose == "code"
    begun = client.post(
        "uploads", json={"purpose": purpose, "root_name": "code" if is_folder else name, "is_folder": is_folder}
    )
    client.put_part(begun["id"], path=name, offset=0, length=len(content), chunks=[content])
    client.post("uploads", begun["id"], "complete", json={"unpack": False})
    return f"upload:{begun['id']}"


def document_of(client: StudioClient, endpoint: str, broken: Broken) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": broken.name,
        "endpoint_name": endpoint,
        "code_configuration": {
            "code": upload(client, "code", "score.py", broken.script.encode()),
            "scoring_script": "score.py",
        },
        "environment": {"image": "any", "conda_file": PLAIN},
        "instance_type": "Standard_DS2_v2",
        "instance_count": 1,
    }
    if broken.model is not None:
        document["model"] = {"path": upload(client, "model", "model.pkl", broken.model)}
    document["code_configuration"] |= broken.changes.get("code_configuration", {})
    return {**document, **{key: value for key, value in broken.changes.items() if key != "code_configuration"}}


def create(client: StudioClient, endpoint: str, broken: Broken) -> None:
    document = document_of(client, endpoint, broken)
    client.post("online-endpoints", endpoint, "deployments", json=document, skip_script_validation=True)


def failure_of(
    client: StudioClient,
    endpoint: str,
    name: str,
    *,
    within_s: float = FAIL_WITHIN_S,
    is_success_awaited: bool = False,
) -> dict[str, Any]:
    """Its failure once it has one; its state in place of the code where none comes in time.

    is_success_awaited: a deployment that works ends the wait; else it may still break.
    """
    deadline = time.monotonic() + within_s
    state = ""
    while time.monotonic() < deadline:
        row = client.get("online-endpoints", endpoint, "deployments", name)
        state = row["provisioning_state"]
        if row["failure"]:
            return dict(row["failure"])
        if is_success_awaited and state == "Succeeded":
            break
        time.sleep(0.5)
    return {"code": state, "message": f"no failure within {within_s:g} s", "advice": ""}
