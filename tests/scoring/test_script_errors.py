"""Every way a script cannot be served, as the status file and the log tell it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.scoring.conftest import Running, Start

INIT = "def init(): pass\n"
RUN = "def run(raw): return 1\n"


def failure_of(running: Running) -> dict[str, Any]:
    assert running.process.wait(20) == 3
    status = running.status
    assert (status["phase"], status["exit_code"]) == ("exited", 3)
    failure: dict[str, Any] = status["failure"]
    return failure


def test_a_missing_script_is_told_with_what_there_is(start: Start, tmp_path: Path) -> None:
    (tmp_path / "app0" / "code").mkdir(parents=True)
    (tmp_path / "app0" / "code" / "main.py").write_text("")
    failure = failure_of(start("", wait=False))
    assert failure["code"] == "UserScriptImportError"
    assert failure["message"] == "The scoring script score.py was not found; the code folder holds code/main.py."
    assert "scoring_script" in failure["advice"]


def test_a_syntax_error_is_told_with_its_line(start: Start) -> None:
    failure = failure_of(start("import os\n\ndef init(:\n    pass\n", wait=False))
    assert (failure["code"], failure["file"], failure["line"]) == ("UserScriptImportError", "score.py", 3)
    assert failure["message"].startswith("Syntax error in score.py, line 3:")


@pytest.mark.parametrize(
    ("module", "wanted"), [("sklearn.linear_model", "scikit-learn"), ("cv2", "opencv-python-headless"), ("a_b", "a-b")]
)
def test_a_missing_package_is_told_by_the_name_to_add(start: Start, module: str, wanted: str) -> None:
    failure = failure_of(start(f"import json\nimport {module}\n{INIT}{RUN}", wait=False))
    assert failure["code"] == "UserScriptImportError"
    assert (failure["file"], failure["line"]) == ("score.py", 2)
    assert failure["message"].startswith(f"No module named '{module.split('.')[0]}' (imported in score.py, line 2)")
    assert failure["advice"].startswith(f"Add {wanted} to")


def test_the_place_of_a_failed_import_is_the_users_own_module(start: Start, tmp_path: Path) -> None:
    (tmp_path / "app0").mkdir()
    (tmp_path / "app0" / "mine.py").write_text("x = 1\ny = {}['a']\n")
    failure = failure_of(start("import mine\n", wait=False))
    assert (failure["file"], failure["line"]) == ("mine.py", 2)
    assert "KeyError: 'a'" in failure["message"]


@pytest.mark.parametrize(("script", "name"), [(RUN, "init"), (INIT, "run")])
def test_a_missing_function_is_told(start: Start, script: str, name: str) -> None:
    failure = failure_of(start(script, wait=False))
    assert failure["code"] == "UserScriptFunctionNotFound"
    assert failure["message"].endswith(f"does not have a {name}() function defined.")


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("def run(*a): pass", "run() cannot accept positional-only arguments, *args, or **kwargs."),
        ("def run(): pass", "run() needs to accept an argument for input data."),
        (
            "def run(request_headers): pass",
            'run() needs to accept an argument other than "request_headers".',
        ),
    ],
)
def test_a_run_that_cannot_be_called_is_told_before_init(start: Start, run: str, message: str) -> None:
    running = start(f"def init(): print('init ran')\n{run}\n", wait=False)
    assert failure_of(running)["message"] == message
    assert "init ran" not in running.messages()


def test_an_exception_in_init_is_told_with_its_traceback(start: Start, tmp_path: Path) -> None:
    (tmp_path / "model" / "inner").mkdir(parents=True)
    (tmp_path / "model" / "inner" / "model.pkl").write_text("")
    script = f"def init():\n    load()\n\ndef load():\n    open('/no/such/model.pkl')\n\n{RUN}"
    running = start(script, "--model_dir", str(tmp_path / "model"), wait=False)
    failure = failure_of(running)
    assert (failure["code"], failure["file"], failure["line"]) == ("UserScriptInitFailed", "score.py", 5)
    assert "FileNotFoundError" in failure["message"]
    assert failure["log_tail"][-1].startswith("FileNotFoundError")
    messages = running.messages()
    assert messages.index("User's init function failed") < messages.index("Model Directory Contents:")
    assert "        model.pkl" in messages
    assert messages[-1] == "Worker failed to boot."


@pytest.mark.parametrize("end", ["import sys; sys.exit(0)", "raise KeyboardInterrupt"])
def test_an_init_that_ends_the_process_is_a_failure(start: Start, end: str) -> None:
    assert failure_of(start(f"def init():\n    {end}\n{RUN}", wait=False))["code"] == "UserScriptInitFailed"


def test_a_process_that_vanishes_in_init_is_a_failure(start: Start) -> None:
    script = f"import os\ndef init():\n    print('last words')\n    os.kill(os.getpid(), 9)\n{RUN}"
    failure = failure_of(start(script, wait=False))
    assert failure["code"] == "ResourceNotReady"
    assert failure["message"] == "The model's process was ended by SIGKILL while it started."
    assert "memory" in failure["advice"]
    assert any("last words" in line for line in failure["log_tail"])


def test_a_native_crash_is_told_with_the_users_line(start: Start) -> None:
    script = f"import ctypes\ndef init():\n    ctypes.string_at(0)\n{RUN}"
    failure = failure_of(start(script, wait=False))
    assert failure["message"] == "The model's process was ended by SIGSEGV while it started in score.py, line 3."
    assert (failure["file"], failure["line"]) == ("score.py", 3)
    assert failure["advice"].startswith("Native code crashed")


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("import sys; sys.exit(3)", "Remove sys.exit()"),
        ("bytearray(2**62)", "Choose an instance type with more memory"),
        ("import pickle; pickle.loads(b'no pickle')", "The file is no whole pickle"),
        ("import pickle; pickle.loads(b'')", "The file is no whole pickle"),
    ],
)
def test_what_is_known_to_help_is_advised(start: Start, line: str, advice: str) -> None:
    failure = failure_of(start(f"def init():\n    {line}\n{RUN}", wait=False))
    assert (failure["code"], failure["line"]) == ("UserScriptInitFailed", 2)
    assert failure["advice"].startswith(advice)


def test_a_script_that_crashes_again_and_again_is_given_up(start: Start) -> None:
    script = f"import os, threading\ndef init():\n    threading.Timer(0.1, os._exit, [9]).start()\n{RUN}"
    failure = failure_of(start(script, wait=False))
    assert failure["code"] == "DeploymentCrashLoopBackOff"
    assert failure["message"] == "The model's process ended with exit code 9, 5 times soon after it was ready."
    assert any("ready for serving" in line for line in failure["log_tail"])


def test_a_missing_environment_variable_is_named(start: Start) -> None:
    failure = failure_of(start(f"import os\ndef init(): os.environ['MY_SETTING']\n{RUN}", wait=False))
    assert (failure["file"], failure["line"]) == ("score.py", 2)
    assert failure["advice"] == "Set MY_SETTING in the deployment's environment_variables."


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("config.json", "{", "The configuration file"),
        ("config.json", "[]", "is not a JSON object"),
        ("swagger.json", "{", "The swagger file swagger.json cannot be read"),
        ("logging.json", '{"version": 9}', "logging.json cannot be used"),
    ],
)
def test_a_broken_file_beside_the_script_is_told(start: Start, tmp_path: Path, name: str, text: str, part: str) -> None:
    (tmp_path / "app0").mkdir()
    (tmp_path / "app0" / name).write_text(text)
    assert part in failure_of(start(INIT + RUN, wait=False))["message"]


def test_a_bad_setting_is_named(start: Start) -> None:
    failure = failure_of(start(INIT + RUN, wait=False, SCORING_TIMEOUT_MS="soon"))
    assert failure["message"] == "SCORING_TIMEOUT_MS must be a whole number, not 'soon'."


def test_a_taken_port_is_named(start: Start) -> None:
    first = start(INIT + RUN)
    failure = failure_of(start(INIT + RUN, "--port", str(first.port), wait=False))
    assert failure["message"].startswith(f"Port {first.port} on 127.0.0.1 cannot be used")


def test_a_driver_module_lends_its_run(start: Start, tmp_path: Path) -> None:
    (tmp_path / "app0").mkdir()
    (tmp_path / "app0" / "inner.py").write_text("def run(raw): return json\njson = 'inner'\n")
    running = start("import inner as driver_module\ndef init(): pass\ndef run(raw): return 'outer'\n")
    assert json.loads(running.score().body) == "inner"
