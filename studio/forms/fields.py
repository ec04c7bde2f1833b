"""What forms need beyond Django's: tags as lines, many files at once, and domain errors laid onto fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from endpoints.spec.errors import SlipwayError


class TagsField(forms.CharField):
    """Tags, one `key=value` a line, as a dict."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("help_text", "One key=value a line.")
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 2}))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return "\n".join(f"{key}={text}" for key, text in value.items())
        return value

    def to_python(self, value: Any) -> Any:
        tags: dict[str, str] = {}
        for number, line in enumerate(str(value or "").splitlines(), start=1):
            key, equals, text = line.partition("=")
            if not line.strip():
                continue
            if not equals or not key.strip():
                raise forms.ValidationError(f"Line {number} is not key=value: {line.strip()}")
            tags[key.strip()] = text.strip()
        return tags


class FilesInput(forms.ClearableFileInput):
    """A file input that takes several files."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of uploaded files as a list."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", FilesInput())
        super().__init__(**kwargs)

    def clean(self, data: Any, initial: Any = None) -> Any:
        files: list[UploadedFile[Any]] = [one for one in (data if isinstance(data, list | tuple) else [data]) if one]
        if not files and self.required:
            raise forms.ValidationError("Choose at least one file.")
        return [super(FilesField, self).clean(file, initial) for file in files]


def add_domain_errors(form: forms.BaseForm, error: SlipwayError, *, names: Mapping[str, str] | None = None) -> None:
    """Show a refusal where it belongs: each detail at its field, the rest above the form.

    names: the form's field for a document's (`{"conda_file": "conda_text"}`); "" where that is the whole form.
    """
    placed = False
    for detail in error.details:
        top = detail.field.partition(".")[0]
        field = (names or {}).get(top, top)
        line = f" (line {detail.line})" if detail.line else ""
        is_ours = field in form.fields
        where = f"{detail.field}: " if field and not is_ours else ""
        form.add_error(field if is_ours else None, f"{where}{detail.message}{line}")
        placed = True
    if not placed:
        form.add_error(None, error.message)


class SlimForm(forms.Form):
    """A form whose required fields are judged here, in our words, and not by the browser."""

    use_required_attribute = False


class WordsForm(SlimForm):
    """What may change of anything that has a name: its description and its tags."""

    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    tags = TagsField()
