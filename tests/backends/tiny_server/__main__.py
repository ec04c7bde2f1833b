"""The smallest server that keeps the scoring server's side of the bargain; BEHAVIOUR says how it misbehaves.

Standard library only: it is staged beside an environment's Python like the real one.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

FLAGS = (
    *("host", "port", "status-file", "log-file", "log-max-bytes", "log-keep"),
    *("max-concurrent", "graceful-timeout"),
)
SHOWN = ("AZUREML_MODEL_DIR", "AZUREML_ENTRY_SCRIPT", "AML_APP_ROOT", "OMP_NUM_THREADS", "HOME", "SLIPWAY_SECRET_KEY")


def write_status(path: Path, **fields: object) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"pid": os.getpid(), **fields}))
    draft.replace(path)


def log(path: Path, message: str) -> None:
    line = {"t": "2026-01-31T12:04:17.201Z", "level": "INFO", "logger": "azmlinfsrv", "message": message}
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what the process sees of its surroundings."""

    def do_GET(self) -> None:
        seen = {"cwd": str(Path.cwd()), **{name: os.environ.get(name) for name in SHOWN}}
        self.send_response(500 if os.environ.get("BEHAVIOUR") == "sick" else 200)
        self.end_headers()
        self.wfile.write(json.dumps(seen).encode())

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    for flag in FLAGS:
        parser.add_argument(f"--{flag}", required=True)
    args = parser.parse_args()
    status_file, log_file = Path(args.status_file), Path(args.log_file)
    behaviour = os.environ.get("BEHAVIOUR", "")
    write_status(status_file, phase="starting")
    log(log_file, "Invoking user's init function")
    if behaviour == "init-fails":
        failure = {"code": "UserScriptInitFailed", "message": "init() raised ValueError: no"}
        write_status(status_file, phase="exited", exit_code=3, failure={**failure, "file": "score.py", "line": 3})
        sys.exit(3)
    if behaviour == "eats":
        held = [b"x" * 1024**2 for _ in range(1024)]
        log(log_file, f"ate {len(held)} MiB")
    if behaviour == "slow":
        time.sleep(60)
    server = http.server.ThreadingHTTPServer((args.host, int(args.port)), Handler)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "deaf" else lambda *_: os._exit(0))
    if behaviour == "breeds":
        subprocess.Popen(["sleep", "300"], start_new_session=True)
    write_status(status_file, phase="running", host=args.host, port=server.server_address[1])
    log(log_file, "Users's init has completed successfully")
    if behaviour == "exits":
        threading.Timer(0.1, lambda: os._exit(7)).start()
    server.serve_forever()


main()
