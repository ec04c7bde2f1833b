"""Programs that call an endpoint, ready to be copied. Text only: it knows no database and no request.

A request kept with a model is somebody else's text: it is quoted for the language it stands in.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from textwrap import dedent

EMPTY_BODY = '{"data": []}'


@dataclass(frozen=True, slots=True)
class Sample:
    """One way to call: `language` is its tab's word."""

    language: str
    text: str


def samples_for(*, name: str, scoring_uri: str, auth_mode: str, body: str = EMPTY_BODY) -> list[Sample]:
    """The same call with curl, Python, JavaScript and the command line. body: JSON on one line."""
    variable = variable_of(auth_mode)
    return [
        Sample("curl", curl(scoring_uri, variable, body)),
        Sample("Python", _python(scoring_uri, variable, body)),
        Sample("JavaScript", _javascript(scoring_uri, variable, body)),
        Sample("CLI", _command_line(name)),
    ]


def variable_of(auth_mode: str) -> str:
    """The environment variable in which the samples expect the caller's secret."""
    return "SLIPWAY_KEY" if auth_mode == "key" else "SLIPWAY_TOKEN_OF_ENDPOINT"


def curl(scoring_uri: str, variable: str = "SLIPWAY_KEY", body: str = EMPTY_BODY) -> str:
    return "\n".join(
        [
            f"curl {scoring_uri} \\",
            f'  -H "Authorization: Bearer ${variable}" \\',
            '  -H "Content-Type: application/json" \\',
            f"  -d {shlex.quote(body)}",
        ]
    )


def _python(scoring_uri: str, variable: str, body: str) -> str:
    return dedent(
        f"""\
        import json
        import os
        import urllib.request

        request = urllib.request.Request(
            "{scoring_uri}",
            data={body!r}.encode(),
            headers={{
                "Authorization": f"Bearer {{os.environ['{variable}']}}",
                "Content-Type": "application/json",
                # "azureml-model-deployment": "blue",  # this deployment, whatever the split says
            }},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            print(json.load(answer))
        """
    ).rstrip()


def _javascript(scoring_uri: str, variable: str, body: str) -> str:
    return dedent(
        f"""\
        const answer = await fetch("{scoring_uri}", {{
          method: "POST",
          headers: {{
            "Authorization": `Bearer ${{process.env.{variable}}}`,
            "Content-Type": "application/json",
          }},
          body: {json.dumps(body)},
        }});
        if (!answer.ok) throw new Error(`${{answer.status}} ${{await answer.text()}}`);
        console.log(await answer.json());
        """
    ).rstrip()


def on_one_line(text: str) -> str:
    """JSON without its line breaks; text that is no JSON as it is."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text


def _command_line(name: str) -> str:
    return "\n".join(
        [
            f"slipway online-endpoint get-credentials --name {name}",
            f"slipway online-endpoint invoke --name {name} --request-file sample-request.json",
        ]
    )
