"""Third step: the packages the script needs, and the script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import yaml
from django import forms
from django.utils import timezone

from endpoints import selectors
from endpoints.models import EnvironmentVersion
from endpoints.services.mlflow_models import conda_of
from endpoints.spec.errors import Forbidden, SlipwayError
from studio.access import actions
from studio.access.policy import is_allowed
from studio.templatetags.look import age_words
from studio.wizards import files, likeness, starter
from studio.wizards.answers import Answers, CodeAnswer, EnvironmentAnswer, EnvironmentKind
from studio.wizards.definitions import ENVIRONMENT_VARIABLE, definition_errors, script_error
from studio.wizards.steps.base import Option, Options, Step, upload_title

_MONO = {"spellcheck": "false", "autocomplete": "off", "autocapitalize": "off"}


class EnvironmentStep(Step):
    environment = forms.ChoiceField(
        label="Environment",
        choices=[
            ("registered", "A registered environment"),
            ("conda", "A conda file"),
            ("requirements", "A requirements.txt"),
            ("model", "From the model"),
        ],
    )
    registered = forms.ChoiceField(label="Registered environment", required=False)
    conda = forms.CharField(
        label="Conda file", required=False, widget=forms.Textarea(attrs={"rows": 11} | _MONO), initial=starter.CONDA
    )
    requirements = forms.CharField(
        label="requirements.txt",
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "placeholder": "scikit-learn==1.7.2\njoblib"} | _MONO),
    )
    name = forms.CharField(
        label="Register it as",
        required=False,
        help_text="Letters, digits, dashes, dots and underscores.",
        widget=forms.TextInput(attrs=_MONO),
    )
    version = forms.CharField(label="Version", required=False, max_length=30, help_text="Empty: the next number.")
    image = forms.CharField(
        label="Base image",
        required=False,
        initial=starter.DEFAULT_IMAGE,
        help_text="Used where instances run in containers.",
        widget=forms.TextInput(attrs=_MONO),
    )

    code = forms.ChoiceField(
        label="Scoring script",
        choices=[("editor", "Write it here"), ("upload", "Upload a file or folder"), ("none", "None needed")],
        initial="editor",
    )
    script_name = forms.CharField(
        label="File name", required=False, initial="score.py", widget=forms.TextInput(attrs=_MONO)
    )
    script = forms.CharField(
        label="Script",
        required=False,
        widget=forms.Textarea(attrs={"rows": 20, "data-editor": ""} | _MONO),
        strip=False,
    )
    upload = forms.CharField(label="Files", required=False)
    scoring_script = forms.CharField(
        label="Scoring script in the upload",
        required=False,
        help_text="Path of the file with init() and run(). Empty: score.py, or the only Python file.",
        widget=forms.TextInput(attrs=_MONO),
    )
    variables = forms.CharField(
        label="Environment variables",
        required=False,
        help_text="One NAME=value a line.",
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "WORKER_COUNT=1"} | _MONO),
    )

    _has_own_servers = False

    def prepare(self) -> None:
        options = self._options()
        self.choose("registered", options)
        kinds: list[Option] = [("registered", "A registered environment")] if options else []
        if is_allowed(self.user, actions.ENVIRONMENTS_WRITE):
            kinds += [("conda", "A conda file"), ("requirements", "A requirements.txt")]
        is_mlflow = bool(self.so_far.model and self.so_far.model.is_mlflow)
        if is_mlflow:
            kinds.insert(0, ("model", "From the model"))
            self.suggest(code="none")
        self.choose("environment", kinds)
        if self.like:
            suggested = likeness.environment_of(self.like)
            if suggested.get("environment") in {kind for kind, _ in kinds}:
                self.suggest(**suggested)
            self.suggest(**likeness.script_of(self.like), **likeness.variables_of(self.like))
        self._offer_no_script(is_needless=is_mlflow or self._has_own_servers)
        main_file = self.so_far.model.main_file if self.so_far.model else ""
        self.suggest(
            environment=kinds[0][0] if kinds else "",
            name=f"{self.so_far.model.name}-env" if self.so_far.model else "",
            script=starter.scoring_script(main_file),
        )
        self.kinds = [kind for kind, _ in kinds]
        self.stored = files.find(self.user, str(self["upload"].value() or ""), "code")
        self.upload_title = upload_title(self.stored, "The script, or the folder or archive it lies in.")

    @property
    def definition_fields(self) -> list[forms.BoundField]:
        """The two texts that may stand for an environment, as far as this person may register one."""
        return [self[kind] for kind in self.kinds if kind in ("conda", "requirements")]

    @property
    def brought_environment(self) -> str:
        """What an MLflow model asks for, as a conda file; "" where it cannot be told or none does."""
        model = self.so_far.model
        if model is None or not model.is_mlflow:
            return ""
        try:
            return yaml.safe_dump(conda_of(model.tree_digest, field="environment"), sort_keys=False)
        except SlipwayError:
            return ""

    def clean(self) -> None:
        kind = self.cleaned_data.get("environment")
        if kind == "registered":
            if reference := self.require("registered", "Choose an environment, or give its packages."):
                self._check_registered(reference)
        elif kind == "model":
            self._check_brought()
        elif kind:
            self._check_definition(kind)
        code = self.cleaned_data.get("code")
        if code == "upload":
            self._check_uploaded_code()
        elif code == "none":
            self._check_no_script(kind)
        else:
            self._check_script()
        self.environment_variables = self._read_variables()

    def extend(self, so_far: Answers) -> Answers:
        return replace(
            so_far,
            environment=self._environment_answer(),
            code=self._code_answer(),
            environment_variables=self.environment_variables,
        )

    def _environment_answer(self) -> EnvironmentAnswer:
        kind = cast(EnvironmentKind, self.cleaned_data["environment"])
        if kind == "model":
            return EnvironmentAnswer(name="", version="", kind=kind)
        if kind == "registered":
            name, _, version = self.text("registered").rpartition(":")
            return EnvironmentAnswer(name=name, version=version, kind=kind, build=self._build_words())
        return EnvironmentAnswer(
            name=self.text("name"),
            version=self.text("version"),
            kind=kind,
            image=self.text("image") or starter.DEFAULT_IMAGE,
            definition=_unix(self.cleaned_data[kind]),
        )

    def _build_words(self) -> str:
        """Whether the first instance will have to wait for a build."""
        build = selectors.build_of(self.user, self.version_row)
        if build is None or build.state != "Succeeded" or build.finished_at is None:
            return "not built yet"
        return f"built {age_words(timezone.now() - build.finished_at)}"

    def _code_answer(self) -> CodeAnswer:
        if self.cleaned_data["code"] == "none":
            return CodeAnswer(scoring_script="")
        if self.cleaned_data["code"] == "upload":
            return CodeAnswer(scoring_script=self.text("scoring_script"), upload=self.stored)
        return CodeAnswer(scoring_script=self.text("script_name"), script=_unix(self.cleaned_data["script"]))

    def _check_registered(self, reference: str) -> None:
        name, _, version = reference.rpartition(":")
        try:
            row = selectors.get_environment_version(self.user, name, version)
        except SlipwayError as error:
            self.note(error, "registered")
            return
        self.version_row = row
        if row.archived_at:
            self.refuse("registered", f"{reference} is archived. Restore it, or choose another version.")

    def _offer_no_script(self, *, is_needless: bool) -> None:
        code = self.fields["code"]
        assert isinstance(code, forms.ChoiceField)  # noqa: S101 - declared above
        offered = [("editor", "Write it here"), ("upload", "Upload a file or folder")]
        code.choices = [("none", "None needed"), *offered] if is_needless else offered

    def _check_brought(self) -> None:
        """The model's own lists of packages, and that nothing but the model needs them."""
        model = self.so_far.model
        if model is None:
            return
        try:
            conda_of(model.tree_digest, field="environment")
        except SlipwayError as error:
            self.note(error, "environment")
        if self.cleaned_data.get("code") != "none":
            self.refuse("environment", "A script of yours needs an environment that you name; or choose no script.")

    def _check_no_script(self, kind: str | None) -> None:
        """Something must serve the model: we can where MLflow saved it, else an image with a server of its own."""
        if self.so_far.model and self.so_far.model.is_mlflow:
            return
        row = getattr(self, "version_row", None)
        if kind != "registered" or row is None or not row.inference_config:
            self.refuse("code", "Only an MLflow model, or an environment with a server of its own, needs no script.")

    def _check_definition(self, kind: str) -> None:
        """The packages, then the name they are registered under."""
        label = "the conda file" if kind == "conda" else "at least one package"
        if text := self.require(kind, f"Paste {label}, or upload it."):
            for problem in definition_errors(kind, _unix(text)):
                self.refuse(kind, problem)
        self.check_new_asset(selectors.environment_versions, missing="Give the environment a name.")

    def _check_script(self) -> None:
        name = self.text("script_name") or "score.py"
        self.cleaned_data["script_name"] = name
        if "/" in name or "\\" in name or not name.endswith(".py"):
            self.refuse("script_name", "Name it like score.py: a file, ending in .py.")
        text = self.require("script", "Write the script, or upload it.")
        if text and (message := script_error(name, _unix(self.cleaned_data["script"]))):
            self.refuse("script", message)

    def _check_uploaded_code(self) -> None:
        if self.stored is None:
            gone = "These files are no longer here: upload them again."
            self.refuse("upload", gone if self.text("upload") else "Choose the script, or its folder.")
            return
        scripts = files.scripts(self.user, self.stored)
        wanted = self.text("scoring_script") or _likely(scripts)
        self.cleaned_data["scoring_script"] = wanted
        if wanted not in scripts:
            known = ", ".join(scripts[:5]) or "no Python file"
            self.refuse("scoring_script", f"Which file has init() and run()? The upload holds {known}.")
        elif problem := script_error(wanted, files.read_script(self.user, self.stored, wanted)):
            self.refuse("scoring_script", problem)

    def _read_variables(self) -> Mapping[str, str]:
        """NAME=value lines as a mapping, noting the line that is none."""
        found: dict[str, str] = {}
        for number, line in enumerate(_unix(self.text("variables")).splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, equals, value = line.partition("=")
            if not equals or not ENVIRONMENT_VARIABLE.fullmatch(name.strip()):
                self.refuse("variables", f"Line {number} is not NAME=value: {line.strip()[:60]}")
                continue
            found[name.strip()] = value.strip()
        return found

    def _options(self) -> Options:
        """Every environment's newest version, the newest environment first."""
        try:
            rows = selectors.environments_for(self.user).prefetch_related("environment__versions")
        except Forbidden:
            return []
        self._has_own_servers = any(each.inference_config for row in rows for each in row.environment.versions.all())
        return [(row.environment.name, _version_options(row)) for row in rows]


def _version_options(latest: EnvironmentVersion) -> list[Option]:
    rows = [row for row in latest.environment.versions.all() if not row.archived_at]
    rows.sort(key=lambda row: (row.created_at, row.pk), reverse=True)
    return [(f"{latest.environment.name}:{row.version}", f"{latest.environment.name}:{row.version}") for row in rows]


def _likely(scripts: list[str]) -> str:
    """The scoring script when nobody says: score.py wherever it lies, else the only one there is."""
    named = [script for script in scripts if script.rpartition("/")[2] == "score.py"]
    if named:
        return min(named, key=lambda path: path.count("/"))
    return scripts[0] if len(scripts) == 1 else ""


def _unix(text: str) -> str:
    """A textarea's text with the line ends a file would have."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
