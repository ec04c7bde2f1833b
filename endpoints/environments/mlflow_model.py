"""What an MLflow model says of itself: whether it can be served without code, and the environment it asks for.

It reads the files MLflow writes beside a model (MLmodel, conda.yaml, python_env.yaml, requirements.txt) as text; the
model itself is never opened here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from endpoints.environments.conda import parse_conda
from endpoints.environments.requirements import parse_requirements
from endpoints.spec.errors import FieldError, Invalid, UnusableModel
from endpoints.spec.yaml_reader import SourceDocument, read_yaml

MLMODEL = "MLmodel"
_PYFUNC = "python_function"
_PYTHON = re.compile(r"^python\s*={1,2}\s*(\d+\.\d+)(?:\.\d+)?(?:\s*=.*)?$")
_DRAWS_IN = re.compile(r"^\s*(-r|--requirement)[=\s]\s*(\./)?requirements\.txt\s*$")
_PIP = re.compile(r"^pip(?![\w.-])")
_VERSION = re.compile(r"^\d+\.\d+")
_MLFLOW = re.compile(r"^mlflow(-skinny)?(?![\w.-])", re.IGNORECASE)

Read = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of a model as it was registered. paths: of all of them; read: the text of one of them."""

    paths: Collection[str]
    read: Read


@dataclass(frozen=True, slots=True)
class MlflowModel:
    """A model whose MLmodel could be read. folder: where that lies among the files, "" at the top."""

    folder: str
    flavors: Mapping[str, object]
    mlflow_version: str
    files: ModelFiles

    @property
    def pyfunc(self) -> Mapping[str, object]:
        """The flavour that any MLflow model is served by; raises UnusableModel where it has none."""
        found = self.flavors.get(_PYFUNC)
        if not isinstance(found, Mapping):
            has = ", ".join(sorted(self.flavors)) or "none"
            raise UnusableModel(
                f"The model has no python_function flavour (it has: {has}), so it cannot be served without a scoring "
                "script. Save it with a flavour that MLflow can load as a Python function, or add code_configuration."
            )
        return found

    def conda(self) -> dict[str, object]:
        """The environment the model asks for, as a conda file's content; raises UnusableModel.

        From conda.yaml, else from python_env.yaml and requirements.txt, as MLmodel names them. The patch of Python's
        version is left open, for MLflow holds 3.11.7 and 3.11.2 to be the same; mlflow is added, in the version that
        wrote the model, where the lists do not name it.
        """
        env = self.pyfunc.get("env")
        names: Mapping[str, object] = env if isinstance(env, Mapping) else {"conda": env}
        conda = self._path(names.get("conda") or "conda.yaml")
        content = self._from_conda(conda) if conda else self._from_requirements(names)
        return self._with_mlflow(content)

    def _path(self, name: object) -> str:
        """The model's file of that name, "" where it has none."""
        path = (PurePosixPath(self.folder) / str(name)).as_posix()
        return path if path in self.files.paths else ""

    def _from_conda(self, path: str) -> dict[str, Any]:
        document = _read(self.files, path)
        errors: list[FieldError] = []
        beside = self._path("requirements.txt")
        drawn_in = parse_requirements(self.files.read(beside), field=beside, errors=[]) if beside else None
        parse_conda(document.values, requirements=drawn_in, errors=errors)
        if errors:
            raise _told(path, errors[0], document.line(_steps(errors[0].field)))
        dependencies = document.values["dependencies"]
        assert isinstance(dependencies, list)  # noqa: S101 -- parse_conda saw to it
        content = [_python_left_open(each) for each in dependencies if not _is_pip(each)]
        return {"dependencies": [_drawn_in(each, self._requirement_lines) for each in content]}

    def _requirement_lines(self) -> list[str]:
        """Of requirements.txt beside MLmodel; raises UnusableModel."""
        path = self._path("requirements.txt")
        errors: list[FieldError] = []
        parsed = parse_requirements(self.files.read(path), field="requirements", errors=errors)
        if errors:
            raise _told(path, errors[0], errors[0].line)
        return [*parsed.options, *parsed.lines]

    def _from_requirements(self, names: Mapping[str, object]) -> dict[str, Any]:
        if not self._path("requirements.txt"):
            raise UnusableModel(
                "The model says nothing of its environment: it has neither conda.yaml nor requirements.txt beside its "
                "MLmodel. Add one of them, or name an environment in the deployment."
            )
        return {"dependencies": [*self._python(names), {"pip": self._requirement_lines()}]}

    def _python(self, names: Mapping[str, object]) -> list[str]:
        version = self.pyfunc.get("python_version")
        if path := self._path(names.get("virtualenv") or "python_env.yaml"):
            version = _read(self.files, path).values.get("python") or version
        found = _VERSION.match(str(version or ""))
        return [f"python={found[0]}"] if found else []

    def _with_mlflow(self, content: dict[str, Any]) -> dict[str, object]:
        dependencies = content["dependencies"]
        lists = [each for each in dependencies if isinstance(each, Mapping)]
        lines = [line for each in lists for line in each["pip"]] + [each for each in dependencies if each not in lists]
        if any(_MLFLOW.match(str(line).rpartition("::")[2].strip()) for line in lines):
            return content
        mlflow = f"mlflow=={self.mlflow_version}" if self.mlflow_version else "mlflow"
        return {"dependencies": [*dependencies, {"pip": [mlflow]}]}


def _python_left_open(dependency: object) -> object:
    return _PYTHON.sub(r"python=\1", dependency) if isinstance(dependency, str) else dependency


def _drawn_in(dependency: object, lines: Callable[[], list[str]]) -> object:
    """A pip list with the lines of requirements.txt in place of `-r requirements.txt`."""
    if not isinstance(dependency, Mapping):
        return dependency
    return {"pip": [line for item in dependency["pip"] for line in (lines() if _DRAWS_IN.match(item) else [item])]}


def _is_pip(dependency: object) -> bool:
    """The installer conda would use; the bound MLflow writes for it is the saving machine's and would part builds."""
    return isinstance(dependency, str) and _PIP.match(dependency) is not None


def read_mlflow_model(files: ModelFiles) -> MlflowModel:
    """Find and read the model's MLmodel. Raises UnusableModel with what is wrong and what to do."""
    path = _find(files.paths)
    document = _read(files, path)
    flavors = document.values.get("flavors")
    if not isinstance(flavors, Mapping):
        raise UnusableModel(f"{path} names no flavours, so it is no MLmodel that MLflow wrote; save the model again.")
    version = document.values.get("mlflow_version")
    folder = PurePosixPath(path).parent.as_posix()
    return MlflowModel("" if folder == "." else folder, flavors, str(version or ""), files)


def _find(paths: Collection[str]) -> str:
    """The outermost MLmodel: parts of a model may be models themselves."""
    found = [path for path in paths if PurePosixPath(path).name == MLMODEL]
    if not found:
        raise UnusableModel(
            "The model has no file MLmodel. Give the folder that MLflow saved (the one MLmodel lies in), or register "
            "it as a custom_model."
        )
    depth = min(path.count("/") for path in found)
    outermost = sorted(path for path in found if path.count("/") == depth)
    if len(outermost) > 1:
        raise UnusableModel(
            f"There are {len(outermost)} models in the folder ({', '.join(outermost[:3])}); give the folder of one."
        )
    return outermost[0]


def _read(files: ModelFiles, path: str) -> SourceDocument:
    try:
        return read_yaml(files.read(path), name=path)
    except Invalid as broken:
        raise UnusableModel(f"The model's {path} cannot be read: {broken.message}") from broken


def _told(path: str, error: FieldError, line: int | None) -> UnusableModel:
    where = f" (line {line})" if line else ""
    return UnusableModel(f"The model's {path} cannot be used{where}: {error.message}")


def _steps(field: str) -> tuple[str | int, ...]:
    """`conda_file.dependencies[2].pip[0]` as the path within the conda file."""
    words = re.findall(r"[^.\[\]]+", field)[1:]
    return tuple(int(word) if word.isdecimal() else word for word in words)
