"""`python -m <package> --entry_script score.py`: read the settings, take the port, supervise."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from typing import List, Sequence

from .failure import BAD_ARGUMENT, NOT_READY, BootFailure
from .front.clients import listen_on
from .pump import RotatingFile, Sink, TextOutput, make_line
from .settings import CLI_ERROR, Settings, load
from .supervisor import Supervisor, failed_before_start
from .worker import BOOT_FAILED


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 stopped, 1 bad usage, 3 the script cannot be served."""
    try:
        settings = load(arguments, os.environ)
    except SystemExit:  # argparse has said why, or printed its help
        return CLI_ERROR
    except BootFailure as failure:
        return _fail(_given_status_file(arguments), TextOutput(), failure)
    sink: Sink = TextOutput()
    try:
        if settings.log_file:
            sink = RotatingFile(settings.log_file, max_bytes=settings.log_max_bytes, keep=settings.log_keep)
    except OSError as error:
        message = "The log file %s cannot be written: %s" % (settings.log_file, error.strerror)
        return _fail(settings.status_file, sink, BootFailure(BAD_ARGUMENT, message))
    _export(settings)
    try:
        listeners = [_listen(settings.host, port) for port in _ports(settings)]
    except BootFailure as failure:
        return _fail(settings.status_file, sink, failure)
    return Supervisor(settings, listeners, sink).run()


def _export(settings: Settings) -> None:
    """What scripts read from their environment, whatever it was given by."""
    os.environ["AML_APP_ROOT"] = settings.app_root
    if settings.model_dir:
        os.environ["AZUREML_MODEL_DIR"] = settings.model_dir
    if settings.entry_script:
        os.environ["AZUREML_ENTRY_SCRIPT"] = settings.entry_script
    os.environ["WORKER_COUNT"] = str(settings.worker_count)


def _ports(settings: Settings) -> List[int]:
    return [settings.port] if settings.health_port is None else [settings.port, settings.health_port]


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listen_on(host, port)
    except OSError as error:
        raise BootFailure(
            NOT_READY,
            "Port %d on %s cannot be used: %s" % (port, host, error.strerror),
            advice="Stop what uses it, or choose another with --port.",
        ) from None


def _fail(status_file: str, sink: Sink, failure: BootFailure) -> int:
    sink.write(make_line("ERROR", "azmlinfsrv", ("%s %s" % (failure.message, failure.advice)).strip(), pid=os.getpid()))
    failed_before_start(status_file, failure)
    return BOOT_FAILED


def _given_status_file(arguments: Sequence[str]) -> str:
    only = argparse.ArgumentParser(add_help=False)
    only.add_argument("--status-file", default="")
    return str(only.parse_known_args(list(arguments))[0].status_file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
