"""What the server was asked to do: command line over environment over config.json. The one reader of all three."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

from . import CONTRACT_VERSION
from .busy_poll import usable_cores
from .failure import BAD_ARGUMENT, BootFailure

CLI_ERROR = 1
DEFAULT_PORT = 5001
DEFAULT_HEALTH_PORT = 5000
DEFAULT_SCORING_TIMEOUT_MS = 3600 * 1000
DEFAULT_WORKER_TIMEOUT_S = 300
DEFAULT_STUCK_AFTER_MS = 60 * 1000

CONFIG_KEYS = frozenset(
    [
        "AML_APP_ROOT",
        "AML_APP_INSIGHTS_ENABLED",
        "AML_APP_INSIGHTS_KEY",
        "AML_CORS_ORIGINS",
        "AML_MODEL_DC_STORAGE_ENABLED",
        "APP_INSIGHTS_LOG_RESPONSE_ENABLED",
        "AZUREML_DEBUG_PORT",
        "AZUREML_ENTRY_SCRIPT",
        "AZUREML_LOG_LEVEL",
        "AZUREML_MODEL_DIR",
        "AZUREML_SOURCE_DIRECTORY",
        "HOSTNAME",
        "SCORING_TIMEOUT_MS",
        "SERVICE_NAME",
        "SERVICE_PATH_PREFIX",
        "SERVICE_VERSION",
        "SERVER_VERSION_LOG_RESPONSE_ENABLED",
        "SLIPWAY_BATCH_MAX_SIZE",
        "SLIPWAY_BATCH_MAX_WAIT_MS",
        "SLIPWAY_BUSY_POLL",
        "WORKER_COUNT",
        "WORKER_PRELOAD",
        "WORKER_TIMEOUT",
        "WORKSPACE_NAME",
    ]
)


class Settings(NamedTuple):
    """Times carry their unit in the name. `batch_max_size` 1 means no batching, `scoring_timeout_ms` 0 no limit."""

    host: str
    port: int
    health_port: Optional[int]  # None: no second listener
    app_root: str
    entry_script: str  # "": import main
    source_dir: str
    model_dir: str
    worker_count: int
    worker_timeout_s: int
    is_preloaded: bool
    max_concurrent: int
    scoring_timeout_ms: int
    stuck_after_ms: int
    graceful_timeout_s: float
    batch_max_size: int
    batch_max_wait_ms: float
    is_busy_polling: bool
    cors_origins: str
    service_name: str
    service_version: str
    service_path_prefix: str
    server_version: str  # "" when it is not to be told
    log_level: str
    status_file: str
    log_file: str
    log_max_bytes: int
    log_keep: int
    warnings: Tuple[str, ...]


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="slipway_scoring", description="Serve a scoring script with init() and run()."
    )
    add = command.add_argument
    add("--entry_script", help="the scoring script; a relative path is looked up below AML_APP_ROOT, then here")
    add("--model_dir", help="what AZUREML_MODEL_DIR is set to")
    add("--port", type=int, help="the port to serve on (5001; 0 for any free one)")
    add("--health_port", type=int, help="a second port, used when SEPERATE_HEALTH_ENDPOINT is true (5000)")
    add("--worker_count", type=int, help="worker processes (1)")
    add("--config_file", help="a JSON file of settings by the names of their environment variables")
    add("--access_control_allow_origins", help="origins for CORS, separated by commas; each may be a pattern")
    add("--appinsights_instrumentation_key", help="accepted for compatibility; telemetry is not sent anywhere")
    add("--rest", action="store_true", help=argparse.SUPPRESS)
    add("--host", default="0.0.0.0", help="the address to serve on")  # noqa: S104
    add("--max-concurrent", type=int, help="calls of run() that may go on at once in a worker (1)")
    add("--graceful-timeout", type=float, default=10.0, help="seconds to finish what is in flight when stopped")
    add("--status-file", default="", help="where to keep the server's state as JSON")
    add("--log-file", default="", help="write log lines there as JSON instead of text on standard output")
    add("--log-max-bytes", type=int, default=10 * 1024 * 1024, help="size at which the log file is rotated")
    add("--log-keep", type=int, default=5, help="how many rotated files are kept")
    return command


def load(arguments: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Read all three sources. Raises BootFailure naming the setting; argparse ends with its own message."""
    given = parser().parse_args(list(arguments))
    app_root = environ.get("AML_APP_ROOT") or os.getcwd()
    entry_script = given.entry_script or environ.get("AZUREML_ENTRY_SCRIPT", "")
    config_path = given.config_file or environ.get("AZUREML_CONFIG_FILE", "")
    config = _read_config(config_path, app_root, entry_script)
    warnings = tuple("config.json holds an unknown key: %s" % key for key in sorted(set(config) - CONFIG_KEYS))
    source = _Source(config, environ)
    app_root = source.text("AML_APP_ROOT", app_root)
    entry_script = given.entry_script or source.text("AZUREML_ENTRY_SCRIPT")
    has_health_port = environ.get("SEPERATE_HEALTH_ENDPOINT", "").lower() == "true"
    is_version_told = source.flag("SERVER_VERSION_LOG_RESPONSE_ENABLED", default=True)
    cors = given.access_control_allow_origins
    worker_count = _at_least_one(given.worker_count or source.number("WORKER_COUNT", 1), "WORKER_COUNT")
    return Settings(
        host=given.host,
        port=DEFAULT_PORT if given.port is None else given.port,
        health_port=(given.health_port or DEFAULT_HEALTH_PORT) if has_health_port else None,
        app_root=os.path.abspath(app_root),
        entry_script=entry_script,
        source_dir=source.text("AZUREML_SOURCE_DIRECTORY"),
        model_dir=given.model_dir or source.text("AZUREML_MODEL_DIR"),
        worker_count=worker_count,
        worker_timeout_s=source.number("WORKER_TIMEOUT", DEFAULT_WORKER_TIMEOUT_S),
        is_preloaded=source.flag("WORKER_PRELOAD", default=False),
        max_concurrent=_at_least_one(
            given.max_concurrent or source.number("SLIPWAY_MAX_CONCURRENT", 1), "--max-concurrent"
        ),
        scoring_timeout_ms=source.number("SCORING_TIMEOUT_MS", DEFAULT_SCORING_TIMEOUT_MS),
        stuck_after_ms=source.number("SLIPWAY_STUCK_AFTER_MS", DEFAULT_STUCK_AFTER_MS),
        graceful_timeout_s=given.graceful_timeout,
        batch_max_size=_at_least_one(source.number("SLIPWAY_BATCH_MAX_SIZE", 1), "SLIPWAY_BATCH_MAX_SIZE"),
        batch_max_wait_ms=source.number("SLIPWAY_BATCH_MAX_WAIT_MS", 5),
        is_busy_polling=source.flag("SLIPWAY_BUSY_POLL", default=usable_cores() > worker_count),
        cors_origins=source.text("AML_CORS_ORIGINS") if cors is None else cors,
        service_name=source.text("SERVICE_NAME", "ML service"),
        service_version=source.text("SERVICE_VERSION", "1.0"),
        service_path_prefix=source.text("SERVICE_PATH_PREFIX"),
        server_version=environ.get("HTTP_X_MS_SERVER_VERSION", CONTRACT_VERSION if is_version_told else ""),
        log_level=source.text("AZUREML_LOG_LEVEL", "INFO").upper(),
        status_file=given.status_file,
        log_file=given.log_file,
        log_max_bytes=given.log_max_bytes,
        log_keep=given.log_keep,
        warnings=warnings,
    )


class _Source:
    """Environment over config.json, by the name of the environment variable."""

    def __init__(self, config: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._config = config
        self._environ = environ

    def text(self, name: str, default: str = "") -> str:
        if name in self._environ:
            return self._environ[name]
        value = self._config.get(name, default)
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    def number(self, name: str, default: int) -> int:
        text = self.text(name, str(default)).strip()
        try:
            return int(text)
        except ValueError:
            raise BootFailure(
                BAD_ARGUMENT, "%s must be a whole number, not %r." % (name, text), advice="Correct or remove it."
            ) from None

    def flag(self, name: str, *, default: bool) -> bool:
        return self.text(name, "true" if default else "false").strip().lower() == "true"


def _at_least_one(value: int, name: str) -> int:
    if value < 1:
        raise BootFailure(
            BAD_ARGUMENT, "%s must be at least 1, not %d." % (name, value), advice="Correct or remove it."
        )
    return value


def _read_config(path: str, app_root: str, entry_script: str) -> Dict[str, Any]:
    """The named file must be there; else config.json in the app root, else beside the script, may be."""
    candidates = [path] if path else [os.path.join(app_root, "config.json")]
    if not path and entry_script:
        candidates.append(os.path.join(app_root, os.path.dirname(entry_script), "config.json"))
    for candidate in candidates:
        if not path and not os.path.isfile(candidate):
            continue
        try:
            with open(candidate, encoding="utf-8") as file:
                config = json.load(file)
        except (OSError, ValueError) as error:
            raise BootFailure(
                BAD_ARGUMENT,
                "The configuration file %s cannot be read: %s" % (candidate, error),
                advice="It must be a JSON object of settings.",
                file=candidate,
            ) from None
        if not isinstance(config, dict):
            raise BootFailure(
                BAD_ARGUMENT, "The configuration file %s is not a JSON object." % candidate, file=candidate
            )
        return config
    return {}
