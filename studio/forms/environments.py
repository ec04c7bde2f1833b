"""Registering an environment: a conda file or a requirements file, as text or uploaded, on an image or none."""

from __future__ import annotations

from typing import Any

from django import forms

from studio.forms.fields import SlimForm, TagsField

CONDA = "conda"
REQUIREMENTS = "requirements"
IMAGE = "image"
KINDS = ((CONDA, "Conda file"), (REQUIREMENTS, "requirements.txt"), (IMAGE, "Image only"))
MAX_FILE_BYTES = 1024 * 1024

CONDA_EXAMPLE = """name: my-env
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
      - scikit-learn==1.5.2
"""


class EnvironmentForm(SlimForm):
    name = forms.CharField(
        max_length=255, widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "my-env"})
    )
    version = forms.CharField(
        max_length=30,
        required=False,
        help_text="Left empty, it is the next number.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    kind = forms.ChoiceField(label="Made from", choices=KINDS, initial=CONDA)
    conda_text = forms.CharField(
        label="Conda file",
        required=False,
        strip=False,
        help_text="python, pip and a pip: list; conda packages that exist under the same name are taken from there.",
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false", "placeholder": CONDA_EXAMPLE}),
    )
    conda_upload = forms.FileField(label="or upload it", required=False)
    requirements = forms.CharField(
        label="requirements.txt",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "placeholder": "scikit-learn==1.5.2"}),
    )
    requirements_upload = forms.FileField(label="or upload it", required=False)
    image = forms.CharField(
        max_length=512,
        required=False,
        help_text="Base image. Process deployments keep it for the record and use the host's Python.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "mcr.microsoft.com/azureml/…"}),
    )
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    tags = TagsField()

    def clean_conda_upload(self) -> str:
        return self._text_of("conda_upload")

    def clean_requirements_upload(self) -> str:
        return self._text_of("requirements_upload")

    def _text_of(self, name: str) -> str:
        """The uploaded file's text, "" without one."""
        file = self.cleaned_data.get(name)
        if not file:
            return ""
        if file.size > MAX_FILE_BYTES:
            raise forms.ValidationError("This file is larger than 1 MiB; it cannot be a list of packages.")
        try:
            text: str = file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise forms.ValidationError("This file is not text in UTF-8.") from None
        return text

    def clean(self) -> dict[str, Any]:
        """What was not chosen is left out; what was chosen has to be there."""
        cleaned = super().clean() or self.cleaned_data
        kind = cleaned.get("kind")
        cleaned["conda_text"] = (cleaned.get("conda_upload") or cleaned.get("conda_text", "")) if kind == CONDA else ""
        chosen = cleaned.get("requirements_upload") or cleaned.get("requirements", "")
        cleaned["requirements"] = chosen if kind == REQUIREMENTS else ""
        missing = {CONDA: "conda_text", REQUIREMENTS: "requirements", IMAGE: "image"}.get(str(kind))
        if missing and not cleaned.get(missing, "").strip() and missing not in self.errors:
            self.add_error(missing, "Write it here, or upload the file." if kind != IMAGE else "Name the image.")
        return cleaned
