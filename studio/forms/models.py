"""Registering a model: names and words about it, and its files as a finished upload or with the form itself."""

from __future__ import annotations

from typing import Any

from django import forms

from studio.forms.fields import FilesField, SlimForm, TagsField

ARCHIVE_ENDINGS = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
MODEL_TYPES = (
    ("custom_model", "Custom model"),
    ("mlflow_model", "MLflow model"),
    ("triton_model", "Triton model"),
)


class ModelForm(SlimForm):
    name = forms.CharField(
        max_length=255,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "my-model", "data-name": ""}),
    )
    version = forms.CharField(
        max_length=30,
        required=False,
        help_text="Left empty, it is the next number.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    type = forms.ChoiceField(choices=MODEL_TYPES, initial="custom_model")
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    tags = TagsField()
    upload = forms.UUIDField(required=False, widget=forms.HiddenInput)
    sent_files = FilesField(required=False)
    unpack = forms.BooleanField(required=False, initial=True)

    def is_unpacked(self) -> bool:
        """Whether the form's own files are one archive that is to be unpacked."""
        names = [file.name.lower() for file in self.cleaned_data["sent_files"]]
        return self.cleaned_data["unpack"] and len(names) == 1 and names[0].endswith(ARCHIVE_ENDINGS)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("upload") and not cleaned.get("sent_files"):
            self.add_error("sent_files", "Choose the model's file, files, folder or archive.")
        return cleaned
