"""A deployment that cannot work says why: every cause is produced for real, and told with its code, place and cure."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from endpoints.cli.client import StudioClient
from endpoints.cli.connection import find_connection
from endpoints.cli.failures import StudioError
from tests.e2e.broken import FINE, FINE_INIT, FINE_RUN, Broken, create, failure_of, with_packages
from tests.e2e.conftest import RunningStudio

pytestmark = [pytest.mark.slow, pytest.mark.redis]

Outcomes = dict[str, "Future[dict[str, Any]]"]

PER_ENDPOINT = 15  # a studio allows twenty
MODEL = "os.environ['AZUREML_MODEL_DIR'] + '/model.pkl'"
IMPATIENT = {"initial_delay": 1, "period": 1, "timeout": 1, "failure_threshold": 2}
ONCE_READY = {**IMPATIENT, "initial_delay": 60}  # time to start on a busy machine; afterwards it is as impatient
SEEN_S = 10  # after init(), by which even a busy studio has seen that the instance was ready
# The process that answers for the instance stands still.
STOPS_ANSWERING = f"""
import os
import threading


def stop():
    parent = os.getppid()
    with open("/proc/%d/task/%d/children" % (parent, parent)) as children:
        for pid in children.read().split():
            with open("/proc/%s/comm" % pid) as name:
                if name.read().strip() == "slipway-front":
                    os.kill(int(pid), 19)


def init():
    threading.Timer({SEEN_S}, stop).start()
"""
SCRIPT = [
    Broken(
        "no-package", "UserScriptImportError", "No module named 'nowhere_at_all'", "Add nowhere-at-all",
        script=f"import nowhere_at_all\n{FINE}", line=1,
    ),
    Broken(
        "no-name", "UserScriptImportError", "cannot import name 'nothing_like_it'", "pin a version that does",
        script=f"from json import nothing_like_it\n{FINE}", line=1,
    ),
    Broken(
        "bad-syntax", "UserScriptImportError", "Syntax error in score.py, line 2", "Correct that line",
        script="\ndef init(:\n    pass\n", line=2,
    ),
    Broken(
        "bad-import", "UserScriptImportError", "ZeroDivisionError", "See the traceback",
        script=f"LIMIT = 1 / 0\n{FINE}", line=1,
    ),
    Broken(
        "exit-at-import", "UserScriptImportError", "ended the process while it was imported", "Remove sys.exit()",
        script=f"import sys\n\nsys.exit(2)\n{FINE}", line=3,
    ),
    Broken(
        "no-init", "UserScriptFunctionNotFound", "init() function", "Define init()",
        script="def run(raw_data):\n    return 1\n",
    ),
    Broken("no-run", "UserScriptFunctionNotFound", "run() function", "Define run(raw_data)", script=FINE_INIT),
    Broken(
        "init-raises", "UserScriptInitFailed", "score.py, line 2: ValueError: threshold", "See the traceback",
        script=f"def init():\n    raise ValueError('threshold')\n{FINE_RUN}", line=2,
    ),
    Broken(
        "exit-in-init", "UserScriptInitFailed", "init() ended the process in score.py, line 5", "Remove sys.exit()",
        script=f"import sys\n\n\ndef init():\n    sys.exit(3)\n{FINE_RUN}", line=5,
    ),
    Broken(
        "no-model-file", "UserScriptInitFailed", "FileNotFoundError", "below AZUREML_MODEL_DIR",
        script=f"import os\n\n\ndef init():\n    open({MODEL}.replace('model.pkl', 'x.pkl'))\n{FINE_RUN}",
        line=5, model=b"weights",
    ),
    Broken(
        "bad-pickle", "UserScriptInitFailed", "UnpicklingError", "no whole pickle",
        script=f"import os\nimport pickle\n\n\ndef init():\n    pickle.load(open({MODEL}, 'rb'))\n{FINE_RUN}",
        line=6, model=b"no pickle",
    ),
    Broken(
        "no-variable", "UserScriptInitFailed", "KeyError: 'THRESHOLD'", "Set THRESHOLD in the deployment's",
        script=f"import os\n\n\ndef init():\n    os.environ['THRESHOLD']\n{FINE_RUN}", line=5,
    ),
    Broken(
        "no-memory", "UserScriptInitFailed", "MemoryError", "more memory",
        script="import resource\n\n\ndef init():\n    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
        f"    bytearray(2**32)\n{FINE_RUN}", line=6,
    ),
]  # fmt: skip
PROCESS = [
    Broken(
        "hard-exit", "ResourceNotReady", "ended with exit code 7 while it started", "os._exit()",
        script=f"import os\n\n\ndef init():\n    os._exit(7)\n{FINE_RUN}",
    ),
    Broken(
        "segfault", "ResourceNotReady", "ended by SIGSEGV while it started in score.py, line 5", "Native code crashed",
        script=f"import ctypes\n\n\ndef init():\n    ctypes.string_at(0)\n{FINE_RUN}", line=5,
    ),
    Broken(
        "abort", "ResourceNotReady", "ended by SIGABRT while it started in score.py, line 5", "Native code crashed",
        script=f"import os\n\n\ndef init():\n    os.abort()\n{FINE_RUN}", line=5,
    ),
    Broken(
        "killed", "ResourceNotReady", "ended by SIGKILL while it started", "want of memory",
        script=f"import os\n\n\ndef init():\n    os.kill(os.getpid(), 9)\n{FINE_RUN}",
    ),
    Broken(
        "too-slow", "ResourceNotReady", "was not ready 3 s after its start", "raise initial_delay",
        script=f"import time\n\n\ndef init():\n    time.sleep(600)\n{FINE_RUN}", changes={"readiness_probe": IMPATIENT},
    ),
    Broken(
        "crash-loop", "DeploymentCrashLoopBackOff", "exit code 9, 5 times soon after it was ready", "os._exit()",
        script="import os\nimport threading\n\n\ndef init():\n"
        f"    threading.Timer(1, os._exit, [9]).start()\n{FINE_RUN}",
    ),
    Broken(
        "blocked", "DeploymentCrashLoopBackOff", "liveness probe failed 2 times in a row: HTTP status 503", "blocks",
        script="import ctypes\nimport threading\n\n\ndef init():\n"
        f"    threading.Timer({SEEN_S}, ctypes.PyDLL(None).sleep, [600]).start()\n{FINE_RUN}",
        changes={"liveness_probe": ONCE_READY},
    ),
    Broken(
        "stopped", "DeploymentCrashLoopBackOff", "liveness probe failed 2 times in a row: no answer", "blocks",
        script=STOPS_ANSWERING + FINE_RUN, changes={"liveness_probe": ONCE_READY},
    ),
]  # fmt: skip
BUILD = [
    Broken(
        "no-such-package", "ImageBuildFailure", "There is no package 'slipway-nowhere-at-all'", "Check the spelling",
        changes=with_packages("slipway-nowhere-at-all"),
    ),
    Broken(
        "no-such-version", "ImageBuildFailure", "no numpy in a version that fits ==0.0.77", "loosen the pin",
        changes=with_packages("numpy==0.0.77"),
    ),
    Broken(
        "conflict", "ImageBuildFailure", "cannot be installed together: pandas==2.2.2 depends on numpy>=", "Loosen one",
        changes=with_packages("pandas==2.2.2", "numpy==1.21.0"),
    ),
    Broken(
        "other-python", "ImageBuildFailure", "needs Python >=3.12", "Ask for another Python",
        changes=with_packages("django==6.0"),
    ),
]  # fmt: skip
EVENTUAL = [*SCRIPT, *PROCESS, *BUILD]

# Refused before anything is created: the field stands where the code of a failure would.
REFUSED = [
    Broken(
        "no-script", "code_configuration.scoring_script", "other.py: it is not in the code folder", "It holds score.py",
        changes={"code_configuration": {"scoring_script": "other.py"}},
    ),
    Broken(
        "bad-line", "conda_file.dependencies[2].pip[0]", "'scikit-learn=>1.0' is not a requirement", "with ==",
        changes=with_packages('"scikit-learn=>1.0"'),
    ),
    Broken(
        "local-path", "conda_file.dependencies[2].pip[0]", "is a path on the machine where it was written",
        "put the code into", changes=with_packages("./my-package"),
    ),
    Broken(
        "bad-conda", "environment.conda_file", "Not valid YAML", "line 2", line=2,
        changes={"environment": {"image": "any", "conda_file": "dependencies: [\n"}},
    ),
    Broken("no-model", "model", "no model named 'nowhere'", "nowhere", changes={"model": "azureml:nowhere:3"}),
    Broken(
        "no-environment", "environment", "no environment named 'nowhere'", "nowhere",
        changes={"environment": "azureml:nowhere:3"},
    ),
    Broken(
        "no-such-type", "instance_type", "no instance type 'Standard_DS33_v2'", "Did you mean Standard_DS3_v2?",
        changes={"instance_type": "Standard_DS33_v2"},
    ),
    Broken(
        "no-quota", "instance_count", "5 x Standard_F72s_v2 takes 6 x 72 = 432 cores", "Lower instance_count",
        changes={"instance_count": 5, "instance_type": "Standard_F72s_v2"},
    ),
]  # fmt: skip


def named(broken: Broken) -> str:
    return broken.name


@pytest.fixture(scope="module")
def client(studio: RunningStudio) -> Iterator[StudioClient]:
    with StudioClient(find_connection(studio.environment)) as opened:
        yield opened


@pytest.fixture(scope="module")
def outcomes(client: StudioClient) -> Iterator[Outcomes]:
    """All of them are on their way at once; each test waits for its own."""

    def fail(number: int, broken: Broken) -> dict[str, Any]:
        endpoint = f"broken-{number // PER_ENDPOINT}"
        create(client, endpoint, broken)
        return failure_of(client, endpoint, broken.name)

    for number in range(0, len(EVENTUAL), PER_ENDPOINT):
        client.post("online-endpoints", json={"name": f"broken-{number // PER_ENDPOINT}"})
    with ThreadPoolExecutor(len(EVENTUAL)) as pool:
        yield {broken.name: pool.submit(fail, number, broken) for number, broken in enumerate(EVENTUAL)}
    for number in range(0, len(EVENTUAL), PER_ENDPOINT):
        client.delete("online-endpoints", f"broken-{number // PER_ENDPOINT}")


@pytest.mark.parametrize("broken", EVENTUAL, ids=named)
def test_a_failure_names_its_code_its_cause_its_place_and_its_cure(broken: Broken, outcomes: Outcomes):
    failure = outcomes[broken.name].result()
    assert (failure["code"], failure.get("line")) == (broken.code, broken.line), failure
    assert broken.says in failure["message"]
    assert broken.advises in failure["advice"]
    assert failure["log_tail"]
    if broken.line:
        assert failure["file"] == "score.py"


@pytest.mark.parametrize("broken", REFUSED, ids=named)
def test_what_can_be_known_beforehand_is_refused_at_its_field(broken: Broken, client: StudioClient):
    with pytest.raises(StudioError) as refusal:
        create(client, "refused", broken)
    [detail] = refusal.value.details
    assert (detail.field, detail.line) == (broken.code, broken.line)
    assert broken.says in detail.message
    assert broken.advises in str(refusal.value)


@pytest.fixture(scope="module", autouse=True)
def endpoint_of_the_refused(client: StudioClient) -> Iterator[None]:
    client.post("online-endpoints", json={"name": "refused"})
    yield
    client.delete("online-endpoints", "refused")


def test_the_command_line_tells_the_cause_and_the_line_before_it_sends(studio: RunningStudio, tmp_path: Path):
    (tmp_path / "score.py").write_text("\ndef init(:\n", encoding="utf-8")
    document = {
        "name": "blue",
        "endpoint_name": "refused",
        "code_configuration": {"code": ".", "scoring_script": "score.py"},
        "environment": {"image": "any"},
        "instance_type": "Standard_DS2_v2",
        "instance_count": 1,
    }
    (tmp_path / "blue.yml").write_text(json.dumps(document), encoding="utf-8")
    done = studio.slipway("online-deployment", "create", "-f", "blue.yml", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "due to syntax errors in scoring script" in done.stderr
    assert "score.py. Error on line 2: def init(:" in done.stderr


def test_an_exception_in_run_is_answered_with_424_and_its_line_stands_in_the_log(
    studio: RunningStudio, client: StudioClient
):
    broken = Broken("raising", "", "", "", script=f"{FINE_INIT}def run(raw_data):\n    return [][1]\n")
    create(client, "refused", broken)
    wait_until_ready(client, "refused", "raising")
    key = client.get("online-endpoints", "refused", "keys")["primaryKey"]
    call = urllib.request.Request(
        f"{studio.gateway_url}/refused/score",
        data=b"{}",
        headers={"Authorization": f"Bearer {key}", "azureml-model-deployment": "raising"},
    )
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(call, timeout=10)
    assert answer.value.code == 424
    assert answer.value.headers["ms-azureml-model-error-statuscode"] == "500"
    logged = studio.slipway("online-deployment", "get-logs", "-e", "refused", "-n", "raising").stdout
    assert "IndexError: list index out of range" in logged
    assert "line 6, in run" in logged


def wait_until_ready(client: StudioClient, endpoint: str, name: str) -> None:
    failure = failure_of(client, endpoint, name, is_success_awaited=True)
    assert failure["code"] == "Succeeded", failure
