"""requirements.txt as validated lines."""

from __future__ import annotations

import pytest

from endpoints.environments.requirements import Requirements, parse_requirements
from endpoints.spec.errors import FieldError


def parse(text: str) -> tuple[Requirements, list[FieldError]]:
    errors: list[FieldError] = []
    return parse_requirements(text, field="requirements", errors=errors), errors


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("NumPy >= 1.26 , < 2", "numpy<2,>=1.26"),
        ("scikit_learn==1.4.2  # pinned", "scikit-learn==1.4.2"),
        ('torch; python_version < "3.12"', 'torch ; python_version < "3.12"'),
        (
            "pkg @ https://files.example/pkg-1.0-py3-none-any.whl",
            "pkg @ https://files.example/pkg-1.0-py3-none-any.whl",
        ),
        ("uvicorn[Standard,extra]>=0.30", "uvicorn[Standard,extra]>=0.30"),
        ("git+https://git.example/x.git@v1", "git+https://git.example/x.git@v1"),
        ("requests==2.32.0 --hash=sha256:abc", "requests==2.32.0 --hash=sha256:abc"),
    ],
)
def test_requirements_get_one_spelling(line: str, expected: str):
    found, errors = parse(line)
    assert (found.lines, errors) == ((expected,), [])


def test_comments_blank_lines_and_continued_lines_are_understood():
    found, errors = parse("# all\n\nnumpy>=1, \\\n  <2\n   \nscipy")
    assert (found.lines, errors) == (("numpy<2,>=1", "scipy"), [])


def test_index_options_are_kept_in_their_order():
    found, errors = parse("-i https://a.example/simple\n--extra-index-url=https://b.example/simple\n--pre\nnumpy")
    assert found.options == (
        "--index-url https://a.example/simple",
        "--extra-index-url https://b.example/simple",
        "--pre",
    )
    assert errors == []


def test_options_that_change_nothing_are_dropped():
    assert parse("--trusted-host x.example\nnumpy")[0] == Requirements(lines=("numpy",))


@pytest.mark.parametrize(
    ("line", "what_to_do"),
    [
        ("-r base.txt", "put its lines here"),
        ("-c constraints.txt", "put its lines here"),
        ("-e git+https://git.example/x", "code folder"),
        ("./wheels/x.whl", "code folder"),
        ("/opt/x.whl", "code folder"),
        ("file:///opt/x.whl", "code folder"),
        ("x @ file:///opt/x.whl", "URL of a package"),
        ("x-1.0-py3-none-any.whl", "only package names"),
        ("C:\\x\\y.whl", "code folder"),
        ("--target /usr", "not supported"),
        ("--find-links ./wheels", "use a URL"),
        ("--index-url", "needs a value"),
        ("numpy=1.2", "pip writes versions with =="),
        ("numpy scipy", "not a requirement pip understands"),
    ],
)
def test_what_cannot_work_is_refused_with_its_line_and_what_to_do(line: str, what_to_do: str):
    _, errors = parse(f"scipy\n{line}\n")
    assert [(error.field, error.line) for error in errors] == [("requirements", 2)]
    assert what_to_do in errors[0].message
