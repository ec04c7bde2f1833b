"""What every command has in common: output, exit codes, errors, start-up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from endpoints.cli import main as main_module
from endpoints.cli.main import main
from tests.cli.conftest import TOKEN, Ran, Studio

ENDPOINT = {
    "name": "my-endpoint",
    "auth_mode": "key",
    "provisioning_state": "Succeeded",
    "scoring_uri": "http://localhost:8080/my-endpoint/score",
    "traffic": {"blue": 90, "green": 10},
    "tags": {},
}
Slipway = Callable[..., Ran]


@pytest.fixture
def endpoint(studio: Studio) -> Studio:
    studio.on("GET", "online-endpoints/my-endpoint", ENDPOINT)
    studio.on("GET", "online-endpoints", [ENDPOINT])
    return studio


def test_the_answer_is_json_on_stdout_and_nothing_else(endpoint: Studio, slipway: Slipway):
    ran = slipway("ml", "online-endpoint", "show", "-n", "My-Endpoint")
    assert (ran.code, ran.json, ran.err) == (0, ENDPOINT, "")
    assert endpoint.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_one_value_comes_out_bare_for_a_shell_variable(endpoint: Studio, slipway: Slipway):
    ran = slipway("online-endpoint", "show", "--name", "my-endpoint", "--query", "scoring_uri", "-o", "tsv")
    assert ran.out == "http://localhost:8080/my-endpoint/score\n"


def test_a_table_has_the_columns_people_look_for(endpoint: Studio, slipway: Slipway):
    lines = slipway("online-endpoint", "list", "--output", "table").out.splitlines()
    assert lines[0].split() == ["Name", "State", "AuthMode", "Traffic", "ScoringUri"]
    assert "blue=90 green=10" in lines[2]


@pytest.mark.parametrize(("form", "part"), [("yaml", "auth_mode: key"), ("jsonc", '"auth_mode": "key"'), ("none", "")])
def test_other_formats(endpoint: Studio, slipway: Slipway, form: str, part: str):
    ran = slipway("online-endpoint", "show", "-n", "my-endpoint", "-o", form)
    assert ran.code == 0
    assert part in ran.out if part else ran.out == ""


def test_what_azure_scripts_pass_along_is_ignored(endpoint: Studio, slipway: Slipway):
    words = ("-g", "rg", "--workspace-name", "ws", "--subscription", "s")
    assert slipway("online-endpoint", "show", "-n", "my-endpoint", *words).code == 0


def test_what_is_not_there_ends_with_3(studio: Studio, slipway: Slipway):
    studio.refuse("GET", "online-endpoints/nope", 404, "ResourceNotFound", "There is no endpoint 'nope'.")
    ran = slipway("online-endpoint", "show", "-n", "nope")
    assert (ran.code, ran.out, ran.err) == (3, "", "ERROR: There is no endpoint 'nope'.\n")


def test_a_refusal_ends_with_1_and_tells_every_field(studio: Studio, slipway: Slipway):
    details = [{"field": "traffic.x", "message": "There is no deployment 'x'.", "line": None}]
    studio.refuse("DELETE", "online-endpoints/e", 400, "ValidationError", "Not like this.", details=details)
    ran = slipway("online-endpoint", "delete", "-n", "e", "--yes")
    assert ran.code == 1
    assert ran.err == "ERROR: Not like this.\n  traffic.x: There is no deployment 'x'.\n"


def test_a_fault_of_the_studio_is_told_with_its_id_and_no_traceback(studio: Studio, slipway: Slipway):
    studio.refuse("GET", "online-endpoints", 500, "InternalServerError", "Something broke.")
    ran = slipway("online-endpoint", "list")
    assert ran.code == 1
    assert "req-1" in ran.err and "Traceback" not in ran.err


def test_a_stranger_at_the_address_is_told_as_such(studio: Studio, slipway: Slipway):
    studio.on_text("GET", "online-endpoints", "<html>welcome</html>", content_type="text/html")
    ran = slipway("online-endpoint", "list")
    assert ran.code == 1 and "did not answer as a studio does" in ran.err


def test_an_unreachable_studio_is_one_sentence(studio: Studio, slipway: Slipway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLIPWAY_URL", "http://127.0.0.1:1")
    ran = slipway("online-endpoint", "list")
    assert ran.code == 1
    assert ran.err == "ERROR: The studio at http://127.0.0.1:1 does not answer.\nStart it with: slipway up\n"


@pytest.mark.parametrize(
    "words",
    [
        ("online-endpoint", "show"),
        ("online-endpoint", "shwo"),
        ("nonsense",),
        ("online-endpoint", "regenerate-keys", "-n", "e", "--key-type", "tertiary"),
        ("online-endpoint", "create", "-f", "missing.yml"),
        ("online-endpoint", "list", "--web"),
        ("online-endpoint", "list", "--query", "[["),
    ],
)
def test_a_command_that_cannot_be_understood_ends_with_2(
    studio: Studio, slipway: Slipway, caplog: pytest.LogCaptureFixture, words: tuple[str, ...]
):
    ran = slipway(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err + caplog.text
    assert "Traceback" not in ran.err


def test_local_becomes_the_program_that_needs_no_studio(monkeypatch: pytest.MonkeyPatch):
    became: list[list[str]] = []
    monkeypatch.setattr("endpoints.cli.main.os.execv", lambda _, words: became.append(words[1:]))
    main(["ml", "online-endpoint", "show", "--local", "-n", "e"])
    assert became == [["-m", "endpoints.local", "ml", "online-endpoint", "show", "-n", "e"]]


def test_an_unexpected_fault_shows_its_traceback_only_on_demand(
    endpoint: Studio, slipway: Slipway, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("endpoints.cli.commands.endpoints._shown", broken)
    ran = slipway("online-endpoint", "show", "-n", "x")
    assert ran.code == 1 and "ZeroDivisionError: oops" in ran.err and "Traceback" not in ran.err
    assert "Traceback" in slipway("online-endpoint", "show", "-n", "x", "--debug").err


def test_an_interrupt_ends_with_130_and_says_what_goes_on(
    endpoint: Studio, slipway: Slipway, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("endpoints.cli.commands.endpoints._shown", interrupted)
    ran = slipway("online-endpoint", "show", "-n", "x")
    assert ran.code == 130 and "goes on" in ran.err and "Traceback" not in ran.err


def test_help_of_every_command_can_be_printed(studio: Studio, slipway: Slipway):
    for words in (("model",), ("environment", "build"), ("online-deployment", "create"), ("configure",), ()):
        ran = slipway(*words, "-h")
        assert ran.code == 0 and "slipway" in ran.out


def test_no_command_at_all_welcomes_and_names_the_nouns(studio: Studio, slipway: Slipway):
    ran = slipway()
    assert ran.code == 0
    assert "slipway up" in ran.out and "Trained models" in ran.out


def test_a_home_that_cannot_be_written_is_no_obstacle(
    endpoint: Studio, slipway: Slipway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SLIPWAY_CONFIG_DIR", "/dev/null/x")
    assert slipway("online-endpoint", "show", "-n", "my-endpoint").code == 0


def test_a_reader_that_has_seen_enough_is_no_fault(endpoint: Studio):
    words = [sys.executable, "-m", "endpoints.cli.main", "online-deployment", "get-logs", "-n", "ddd", "-e", "eee"]
    endpoint.on_text("GET", "online-endpoints/eee/deployments/ddd/logs", "a line of the log\n" * 100_000)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == b"a line of the log\n"
        process.stdout.close()
        assert (process.wait(30), process.stderr.read()) == (0, b"")


def test_defaults_and_subscriptions_are_saved(studio: Studio, slipway: Slipway):
    assert slipway("configure", "--defaults", "workspace=w", "group=g").code == 0
    assert slipway("configure", "--list-defaults").json == {"workspace": "w", "group": "g"}
    assert slipway("account", "set", "--subscription", "mine").code == 0
    assert slipway("account", "show").json == {"subscription": "mine", "studio": studio.url}


def test_up_becomes_the_launcher(monkeypatch: pytest.MonkeyPatch):
    started: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, words: started.append(words))
    main_module.main(["up", "--no-sample"])
    assert started == [[sys.executable, "-m", "studio.launcher", "--no-sample"]]


def test_the_version_is_printed_without_loading_the_rest():
    program = "import sys; from endpoints.cli.main import main; main(['--version']); print(sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.startswith("slipway ")
    for heavy in ("knack", "httpx", "yaml", "django", "celery"):
        assert f"'{heavy}'" not in out


def test_a_common_verb_loads_neither_django_nor_the_studio():
    program = "import sys; import endpoints.cli.commands.endpoints, endpoints.cli.program; print(sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    for heavy in ("django", "celery", "studio", "pydantic", "endpoints.models"):
        assert f"'{heavy}'" not in out
