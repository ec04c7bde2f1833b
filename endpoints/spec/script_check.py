"""Reads a scoring script without running it: does it compile (contract B7)?"""

from __future__ import annotations

import warnings

from endpoints.spec.errors import FieldError

FIELD = "code_configuration.scoring_script"


def script_problem(source: bytes, *, file: str, deployment: str) -> FieldError | None:
    """What keeps the script from being compiled, None where nothing does. `file` as the user wrote it.

    The check uses this interpreter's grammar; a script for a newer Python may pass `--skip-script-validation`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        return _problem(deployment, file, error.lineno, error.msg if error.text is None else _told(error))
    except (ValueError, RecursionError, MemoryError) as error:
        return _problem(deployment, file, None, str(error) or type(error).__name__)
    return None


def _told(error: SyntaxError) -> str:
    text = (error.text or "").strip()
    return f"{text} ({error.msg})" if text else error.msg


def _problem(deployment: str, file: str, line: int | None, text: str) -> FieldError:
    where = f"Error on line {line}: {text}" if line else f"Error: {text}"
    return FieldError(
        FIELD,
        f"Failed to submit deployment {deployment} due to syntax errors in scoring script {file}. {where}."
        " If you wish to bypass this validation use --skip-script-validation parameter.",
        line,
    )
