"""One call of the test panel as a program, with its real body. Text only."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from textwrap import dedent

# Beyond this a body is named as a file instead of being written out.
_MAX_INLINE_BYTES = 4000


@dataclass(frozen=True, slots=True)
class Call:
    """What was sent. body: as text, or the name of the file it came from. deployment: "" for the live split."""

    scoring_uri: str
    variable: str
    content_type: str
    body: str
    is_file: bool
    deployment: str


def as_curl(call: Call) -> str:
    """A command that can be pasted into a shell as it is."""
    is_named = call.is_file or len(call.body) > _MAX_INLINE_BYTES
    data = f"--data-binary @{shlex.quote(call.body if call.is_file else 'request.json')}"
    lines = [
        f"curl {shlex.quote(call.scoring_uri)}",
        f'-H "Authorization: Bearer ${call.variable}"',
        f"-H {shlex.quote(f'Content-Type: {call.content_type}')}",
        *([f"-H 'azureml-model-deployment: {call.deployment}'"] if call.deployment else []),
        data if is_named else f"--data-raw {shlex.quote(call.body)}",
    ]
    return " \\\n  ".join(lines)


def as_python(call: Call) -> str:
    """The same with the standard library alone."""
    is_named = call.is_file or len(call.body) > _MAX_INLINE_BYTES
    file_name = call.body if call.is_file else "request.json"
    body = f'open({file_name!r}, "rb").read()' if is_named else f"{call.body!r}.encode()"
    header = f'\n        "azureml-model-deployment": {call.deployment!r},' if call.deployment else ""
    program = """\
        import os
        import urllib.request

        request = urllib.request.Request(
            {uri!r},
            data={body},
            headers={{
                "Authorization": "Bearer " + os.environ[{variable!r}],
                "Content-Type": {content_type!r},{header}
            }},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            print(answer.read().decode())"""
    return dedent(program).format(
        uri=call.scoring_uri, body=body, variable=call.variable, content_type=call.content_type, header=header
    )
