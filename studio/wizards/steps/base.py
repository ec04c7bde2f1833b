"""What all steps share: whose draft it is, what earlier steps answered, and what an entry link asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django import forms
from django.template.defaultfilters import filesizeformat

from endpoints.models import EnvironmentVersion, ModelVersion
from endpoints.services.registry import next_version
from endpoints.spec.errors import SlipwayError
from endpoints.spec.names import asset_name_problem, version_problem
from studio.access.models import User
from studio.forms.fields import SlimForm
from studio.wizards import likeness
from studio.wizards.answers import Answers, StoredUpload

Option = tuple[str, str]
Versioned = EnvironmentVersion | ModelVersion
Options = list[Option | tuple[str, list[Option]]]


class Step(SlimForm):
    """A step's form. `so_far` holds the answers of the steps before it; `wish` the entry link's query.

    like: what the deployment named there is made of.
    """

    def __init__(self, *args: Any, user: User, so_far: Answers, wish: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.so_far = so_far
        self.wish = wish
        self.like = likeness.pattern(user, wish)
        self.prepare()

    def prepare(self) -> None:
        """Fill choices and initial values."""

    def extend(self, so_far: Answers) -> Answers:
        """`so_far` with what this step answered. Only after `is_valid()`."""
        return so_far

    def suggest(self, **values: object) -> None:
        """Values for fields nobody has filled in yet; what was suggested first stays."""
        self.initial = {**values, **self.initial}

    def refuse(self, field: str, message: str) -> None:
        """Note what is wrong with `field` and what to do."""
        self.add_error(field, message)

    def require(self, field: str, message: str) -> str:
        """The text of `field`, noting `message` where it is empty."""
        value = str(self.cleaned_data.get(field) or "").strip()
        if not value and field not in self.errors:
            self.refuse(field, message)
        return value

    def note(self, error: SlipwayError, field: str | None) -> None:
        """Show a domain error at `field`, each of its details with its line."""
        if not error.details:
            self.add_error(field, error.message)
        for detail in error.details:
            place = f" (line {detail.line})" if detail.line else ""
            self.add_error(field, f"{detail.message}{place}")

    def choose(self, field: str, options: Iterable[Any]) -> None:
        """Set the options of a ChoiceField."""
        choice = self.fields[field]
        assert isinstance(choice, forms.ChoiceField)  # noqa: S101 - a wrong field name is a mistake of ours
        choice.choices = list(options)

    def check_new_asset(self, registered: Callable[[User, str], Iterable[Versioned]], *, missing: str) -> None:
        """The name and version of an asset to register; an empty version becomes the next free one.

        registered: the versions of a name, as the user may see them. missing: what to say where there is no name.
        """
        name = self.require("name", missing)
        if name and (message := asset_name_problem(name)):
            self.refuse("name", message)
        elif name:
            self._check_version(name, registered)

    def _check_version(self, name: str, registered: Callable[[User, str], Iterable[Versioned]]) -> None:
        try:
            taken = [row.version for row in registered(self.user, name)]
        except SlipwayError:
            taken = []
        version = self.text("version") or next_version(taken)
        self.cleaned_data["version"] = version
        if message := version_problem(version):
            self.refuse("version", message)
        elif version in taken:
            self.refuse("version", f"{name}:{version} is registered already; the next is {next_version(taken)}.")

    def text(self, field: str) -> str:
        return str(self.cleaned_data.get(field) or "").strip()


def upload_title(stored: StoredUpload | None, invitation: str) -> str:
    """What the upload area says: the files that are here, or what to bring."""
    if stored is None:
        return invitation
    slash, plural = "/" if stored.is_folder else "", "" if stored.file_count == 1 else "s"
    size = filesizeformat(stored.size_bytes)
    return f"{stored.root_name}{slash} is here: {stored.file_count} file{plural}, {size}. Choose again to replace it."
