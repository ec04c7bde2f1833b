"""One instance as a container: how it is fenced in, and what the engine says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docker.types import LogConfig, Mount, Ulimit

from endpoints.backends.base import InstanceTemplate, ObservedInstance, Phase
from endpoints.backends.exit_reasons import exit_reason, from_shell_status
from endpoints.backends.instance_files import REPORTED, Status, failure_from_console, read_status
from endpoints.spec.failure import Failure
from endpoints.spec.states import FailureCode

PORT = 5001
_LOOPBACK = "127.0.0.1"
APP_ROOT = "/var/azureml-app"
PYTHON = "/opt/slipway/env/bin/python"
SERVER = "/opt/slipway/server"
RUN = "/var/slipway/run"
LOG = "/var/slipway/log"
# Whoever runs in the container is nobody on the host.
_USER = "1000:1000"
SCRATCH_BYTES = 1024**3  # of /tmp, which is memory
_PIDS = 1024
_LOG_MAX_BYTES = 10 * 1024 * 1024
_LOG_KEEP = 5


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of the host that a container sees. models: within `app`; run and log are written by the container."""

    app: Path
    models: Path
    server: Path
    run: Path
    log: Path


def options(template: InstanceTemplate, places: Places, *, instance_id: str, host: Mapping[str, Any]) -> dict[str, Any]:
    """Everything `containers.create` needs but name, labels and network. host: the engine's `info()`."""
    memory = min(template.memory_bytes, host["MemTotal"]) if template.memory_bytes else None
    cores = min(template.cpu_cores, host["NCPU"]) if template.cpu_cores else None
    limits: dict[str, Any] = {"pids_limit": _PIDS, "ulimits": [Ulimit(name="core", soft=0, hard=0)]}
    if memory:
        limits.update(mem_limit=memory, memswap_limit=memory)
    if cores:
        limits.update(nano_cpus=round(cores * 1e9))
    if template.is_published:
        limits["ports"] = {f"{template.own_server_port or PORT}/tcp": (_LOOPBACK, None)}
    if template.own_server_port:
        ours: dict[str, Any] = {"environment": _told(template, instance_id), "mounts": _shared(template, places)}
    else:
        ours = {
            "entrypoint": [PYTHON, "-m", "slipway_scoring"],
            "command": _flags(template),
            "environment": _environment(template, instance_id=instance_id, cores=cores),
            "working_dir": APP_ROOT,
            "mounts": _mounts(template, places),
            "read_only": True,
        }
    return {
        "image": template.runtime.image,
        **ours,
        "user": _USER,
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,mode=1777,size={SCRATCH_BYTES}"},  # noqa: S108 -- in the container
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "init": True,
        "log_config": LogConfig(type="json-file", config={"max-size": "1m", "max-file": "2"}),
        **limits,
    }


def _flags(template: InstanceTemplate) -> list[str]:
    return [
        *("--host", "0.0.0.0", "--port", str(PORT)),  # noqa: S104 -- in a network of its endpoint's own
        *("--status-file", f"{RUN}/status.json", "--log-file", f"{LOG}/inference-server.jsonl"),
        *("--log-max-bytes", str(_LOG_MAX_BYTES), "--log-keep", str(_LOG_KEEP)),
        *("--max-concurrent", str(template.max_concurrent_requests)),
        *("--graceful-timeout", f"{template.request_timeout_ms / 1000 + 1:.1f}"),
    ]


def _environment(template: InstanceTemplate, *, instance_id: str, cores: float | None) -> dict[str, str]:
    threads = {} if cores is None else {"OMP_NUM_THREADS": str(max(1, round(cores)))}
    return {
        "LANG": "C.UTF-8",
        "HOME": "/tmp",  # noqa: S108 -- the one place the container may write to
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONFAULTHANDLER": "1",
        **threads,
        **_told(template, instance_id),
        "PYTHONPATH": ":".join(filter(None, [SERVER, template.environment_variables.get("PYTHONPATH", "")])),
        "AZUREML_INFERENCE_PYTHON_PATH": PYTHON,
    }


def _told(template: InstanceTemplate, instance_id: str) -> dict[str, str]:
    """What every server is told, whoever brought it: the user's variables, and where code and model lie."""
    models = template.model_mount_path or f"{APP_ROOT}/azureml-models"
    model = template.model
    return {
        **template.environment_variables,
        "AML_APP_ROOT": APP_ROOT,
        "AZUREML_ENTRY_SCRIPT": template.entry_script,
        "AZUREML_MODEL_DIR": f"{models}/{model.name}/{model.version}" if model else models,
        "SLIPWAY_INSTANCE_ID": instance_id,
    }


def _mounts(template: InstanceTemplate, places: Places) -> list[Mount]:
    return [
        *_shared(template, places),
        Mount(SERVER, str(places.server), type="bind", read_only=True),
        Mount(RUN, str(places.run), type="bind"),
        Mount(LOG, str(places.log), type="bind"),
    ]


def _shared(template: InstanceTemplate, places: Places) -> list[Mount]:
    """Code and models, which no server may change."""
    mounts = [Mount(APP_ROOT, str(places.app), type="bind", read_only=True)]
    if template.model_mount_path:
        mounts.append(Mount(template.model_mount_path, str(places.models), type="bind", read_only=True))
    return mounts


# What the engine says -------------------------------------------------------------------------------------------


def is_unstarted(attributes: Mapping[str, Any]) -> bool:
    """Whether it was made and nobody has started it: what the runtime refused to start is kept as an error instead."""
    state = attributes["State"]
    return state["Status"] == "created" and not state.get("Error")


def observed(
    attributes: Mapping[str, Any], *, run: Path, is_stopping: bool, console: Callable[[], Sequence[str]]
) -> ObservedInstance:
    """One inspected container as the contract has it.

    run: where its server writes its status. console: its last lines of plain output, asked for only when needed.
    """
    labels, state = attributes["Config"]["Labels"], attributes["State"]
    own_port = int(labels.get("slipway.port", 0))
    # A server of the image's own reports nothing: from its start on the probes alone say how it is.
    status = (
        Status(phase="running" if state["Status"] == "running" else "", port=own_port) if own_port else read_status(run)
    )
    is_alive = state["Status"] in {"running", "paused", "restarting"}
    common: dict[str, Any] = {
        "instance_id": labels["slipway.instance"],
        "revision": int(labels["slipway.revision"]),
        "started_at": _moment(attributes["Created"]),
        "restarts": status.restarts,
    }
    if is_alive or is_unstarted(attributes):
        phase = Phase.STOPPING if is_stopping else REPORTED.get(status.phase, Phase.STARTING)
        host, port = _published(attributes, status.port) or (_address(attributes), status.port)
        return ObservedInstance(
            **common,
            phase=phase,
            host=host if port else "",
            port=port if host else 0,
            pid=state.get("Pid") or None,
            failure=status.told_failure,
        )
    code = from_shell_status(state["ExitCode"])
    is_out_of_memory = bool(state.get("OOMKilled"))
    return ObservedInstance(
        **common,
        phase=Phase.EXITED,
        exit_code=code,
        failure=_fate(attributes, is_out_of_memory=is_out_of_memory)
        or status.told_failure
        or failure_from_console(run, code, console),
        reason=exit_reason(code, was_out_of_memory=is_out_of_memory),
    )


def _fate(attributes: Mapping[str, Any], *, is_out_of_memory: bool) -> Failure | None:
    """What the engine knows and the server could not tell."""
    if is_out_of_memory:
        limit_mib = attributes["HostConfig"].get("Memory", 0) // 1024**2
        return Failure(
            code=FailureCode.OUT_OF_MEMORY,
            message=f"The instance needed more memory than its instance type has ({limit_mib:,} MiB) and was killed.",
            advice="Choose an instance type with more memory, or load a smaller model.",
        )
    if error := attributes["State"].get("Error"):
        return Failure(
            code=FailureCode.RESOURCE_NOT_READY,
            message=f"The container could not be started: {error}",
            advice="Check that the image has the environment in it: build the environment again.",
        )
    return None


def _published(attributes: Mapping[str, Any], port: int) -> tuple[str, int] | None:
    """Where this host's loopback leads to the port, if it does."""
    bindings = (attributes["NetworkSettings"].get("Ports") or {}).get(f"{port}/tcp") or []
    return next(((_LOOPBACK, int(each["HostPort"])) for each in bindings), None)


def _address(attributes: Mapping[str, Any]) -> str:
    networks = attributes["NetworkSettings"]["Networks"] or {}
    return next((network["IPAddress"] for network in networks.values() if network.get("IPAddress")), "")


def attributes_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """A running container's line in the engine's list, in the shape that `observed` reads."""
    return {
        "Config": {"Labels": summary["Labels"]},
        "State": {"Status": summary["State"]},
        "Created": datetime.fromtimestamp(summary["Created"], UTC).isoformat(),
        "NetworkSettings": summary.get("NetworkSettings") or {"Networks": {}},
    }


def _moment(text: str) -> datetime:
    """The engine's time stamps have nanoseconds."""
    return datetime.fromisoformat(f"{text[:19]}{text[19:26].rstrip('Z') if '.' in text else ''}+00:00")
