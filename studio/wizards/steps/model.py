"""Second step: a registered model, one to upload and register, or none."""

from __future__ import annotations

from dataclasses import replace

from django import forms

from endpoints import selectors
from endpoints.models import ModelVersion
from endpoints.services.mlflow_models import read_model
from endpoints.spec.documents import MLFLOW
from endpoints.spec.errors import Forbidden, SlipwayError
from studio.access import actions
from studio.access.policy import is_allowed
from studio.wizards import files, likeness
from studio.wizards.answers import Answers, ModelAnswer
from studio.wizards.starter import has_mlmodel, model_file
from studio.wizards.steps.base import Option, Options, Step, upload_title


class ModelStep(Step):
    source = forms.ChoiceField(
        label="Model",
        choices=[
            ("registered", "A registered model"),
            ("upload", "Upload a model"),
            ("none", "No model"),
        ],
    )
    registered = forms.ChoiceField(label="Registered model", required=False)
    upload = forms.CharField(label="Files", required=False)
    name = forms.CharField(
        label="Model name",
        required=False,
        help_text="Letters, digits, dashes, dots and underscores.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "data-name": ""}),
    )
    version = forms.CharField(label="Version", required=False, max_length=30, help_text="Empty: the next number.")
    type = forms.ChoiceField(
        label="Type",
        required=False,
        choices=[
            ("custom_model", "Custom: your script loads it"),
            (MLFLOW, "MLflow: needs no script"),
            ("triton_model", "Triton"),
        ],
        initial="custom_model",
    )
    description = forms.CharField(label="Description", required=False, max_length=2000)

    def prepare(self) -> None:
        options = self._options()
        self.choose("registered", options)
        sources: list[Option] = []
        if options:
            sources.append(("registered", "A registered model"))
        if is_allowed(self.user, actions.MODELS_WRITE):
            sources.append(("upload", "Upload a model"))
        self.choose("source", [*sources, ("none", "No model")])
        wish = self._wished() or (likeness.model_of(self.like) if self.like else "")
        if wish:
            self.suggest(source="registered", registered=wish)
        self.suggest(source=sources[0][0] if sources else "none")
        self.stored = files.find(self.user, str(self["upload"].value() or ""), "model")
        self.upload_title = upload_title(self.stored, "One file, several, a folder, or an archive of them.")

    def clean(self) -> None:
        source = self.cleaned_data.get("source")
        if source == "registered":
            if reference := self.require("registered", "Choose a model, or upload one."):
                self._check_registered(reference)
        elif source == "upload":
            self._check_upload()

    def extend(self, so_far: Answers) -> Answers:
        source = self.cleaned_data["source"]
        if source == "none":
            return replace(so_far, model=None)
        if source == "registered":
            return replace(so_far, model=_registered(self.version_row))
        if self.stored is None:
            raise ValueError("an upload that is gone cannot be valid")
        paths = files.paths(self.user, self.stored.id)
        answer = ModelAnswer(
            name=self.text("name"),
            version=self.text("version"),
            type=self.text("type") or "custom_model",
            description=self.text("description"),
            upload=self.stored,
            file_count=self.stored.file_count,
            size_bytes=self.stored.size_bytes,
            main_file=model_file(paths),
            tree_digest=files.tree_digest(self.user, self.stored.id),
            has_mlmodel=has_mlmodel(paths),
        )
        return replace(so_far, model=answer)

    def _check_registered(self, reference: str) -> None:
        name, _, version = reference.rpartition(":")
        try:
            self.version_row = selectors.get_model_version(self.user, name, version)
        except SlipwayError as error:
            self.note(error, "registered")
            return
        if self.version_row.archived_at:
            self.refuse("registered", f"{reference} is archived. Restore it, or choose another version.")

    def _check_upload(self) -> None:
        if self.stored is None:
            gone = "These files are no longer here: upload them again."
            self.refuse("upload", gone if self.text("upload") else "Choose a file, several files, a folder or a zip.")
        elif self.text("type") == MLFLOW:
            self._check_mlflow(self.stored.id)
        self.check_new_asset(selectors.model_versions, missing="Give the model a name.")

    def _check_mlflow(self, upload_id: str) -> None:
        try:
            read_model(files.tree_digest(self.user, upload_id), field="upload")
        except SlipwayError as error:
            self.note(error, "upload")

    def _options(self) -> Options:
        """The versions that may be deployed, newest model first, one group a model."""
        try:
            rows = selectors.models_for(self.user).prefetch_related("model__versions")
        except Forbidden:
            return []
        return [(row.model.name, _version_options(row)) for row in rows]

    def _wished(self) -> str:
        """The model an entry link asked for, as an option's value; "" for none."""
        name, _, version = self.wish.get("model", "").removeprefix("azureml:").partition(":")
        if not name:
            return ""
        try:
            row = selectors.get_model_version(self.user, name, version or "latest")
        except SlipwayError:
            return ""
        return f"{row.model.name}:{row.version}"


def _version_options(latest: ModelVersion) -> list[Option]:
    rows = [row for row in latest.model.versions.all() if not row.archived_at]
    rows.sort(key=lambda row: (row.created_at, row.pk), reverse=True)
    return [(f"{latest.model.name}:{row.version}", f"{latest.model.name}:{row.version}") for row in rows]


def _registered(row: ModelVersion) -> ModelAnswer:
    paths = files.tree_paths(row.tree_digest)
    return ModelAnswer(
        name=row.model.name,
        version=row.version,
        type=row.type,
        file_count=row.file_count,
        size_bytes=row.size_bytes,
        main_file=model_file(paths),
        tree_digest=row.tree_digest,
        has_mlmodel=has_mlmodel(paths),
    )
