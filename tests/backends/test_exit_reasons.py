"""Why a process ended, in words."""

from __future__ import annotations

import pytest

from endpoints.backends.exit_reasons import exit_reason, from_shell_status


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "killed by signal 9 (SIGKILL), e.g. by the kernel for want of memory or by hand"),
        (-11, "killed by signal 11 (SIGSEGV): a crash in native code"),
        (-15, "asked to stop from outside"),
        (-34, "killed by signal 34"),
        (-99, "killed by signal 99"),
        (0, "exited by itself with code 0"),
        (1, "exited with code 1"),
        (127, "could not be started"),
        (None, "nobody saw why"),
    ],
)
def test_an_exit_code_becomes_a_sentence(code: int | None, words: str):
    assert words in exit_reason(code)


def test_a_lack_of_memory_that_is_known_is_said_for_certain():
    assert exit_reason(-9, was_out_of_memory=True) == (
        "killed by the kernel: it used more memory than its instance type has"
    )


@pytest.mark.parametrize(("status", "code"), [(0, 0), (3, 3), (128, 128), (137, -9), (139, -11), (255, 255)])
def test_a_shells_status_above_128_is_a_signal(status: int, code: int):
    assert from_shell_status(status) == code
