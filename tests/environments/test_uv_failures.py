"""uv's last words as a cause and what to do. The texts are what uv really said."""

from __future__ import annotations

import pytest

from endpoints.environments.uv_failures import explain

SAID = {
    "There is no package 'no-such-thing'": (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because no-such-thing was not found in the package registry and you require no-such-thing==1, we can "
        "conclude that your requirements are unsatisfiable."
    ),
    "There is no numpy in a version that fits ==99.1": (
        "  x No solution found when resolving dependencies:\n"
        "  ╰─▶ Because there is no version of numpy==99.1 and you require numpy==99.1, we can conclude that your\n"
        "      requirements are unsatisfiable."
    ),
    "scikit-learn==1.7.2 needs Python >=3.10": (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because the current Python version (3.8.18) does not satisfy Python>=3.10 and scikit-learn==1.7.2 "
        "depends on Python>=3.10, we can conclude that scikit-learn==1.7.2 cannot be used."
    ),
    "cannot be installed together": (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because pandas==2.2.2 depends on numpy>=1.23.2 and you require pandas==2.2.2, we can conclude that "
        "you require numpy>=1.23.2.\n  And because you require numpy==1.20, we can conclude that your requirements "
        "are unsatisfiable."
    ),
    "numpy==1.20.0 could not be built from source": (
        "error: Failed to build `numpy==1.20.0`\n  cause: The build backend returned an error\n"
        "  error: command 'gcc' failed: No such file or directory"
    ),
    "could not be reached": (
        "error: Failed to fetch: `https://mirror.example/simple/numpy/`\n"
        "  cause: error sending request for url\n  cause: client error (Connect)\n  cause: dns error"
    ),
    "certificate of the package index was not accepted": (
        "error: Failed to fetch: `https://m.example/simple/numpy/`\n  cause: invalid peer certificate: UnknownIssuer"
    ),
    "refused access": (
        "error: Failed to fetch: `https://mirror.example/simple/numpy/`\n"
        "  cause: HTTP status client error (401 Unauthorized) for url (https://mirror.example/simple/numpy/)"
    ),
    "The disk is full": "error: Failed to install: numpy\n  cause: No space left on device (os error 28)",
}


@pytest.mark.parametrize("cause", SAID)
def test_a_cause_is_told_in_a_sentence_with_what_to_do(cause: str):
    failure = explain(SAID[cause].splitlines(), python_version="3.11.7")
    assert cause in failure.message
    assert failure.advice
    assert failure.log_tail == tuple(SAID[cause].splitlines())


def test_what_nobody_has_seen_before_still_shows_its_last_lines():
    failure = explain(["something odd"], python_version="3.11.7")
    assert failure.log_tail == ("something odd",)
    assert failure.code == "ImageBuildFailure"


def test_no_password_reaches_the_failure():
    failure = explain(["error: Failed to fetch: `https://u:secret@m.example/x`"], python_version="3.11.7")
    assert "secret" not in repr(failure)
