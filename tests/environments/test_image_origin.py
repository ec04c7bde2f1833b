"""Which image a build begins with, decided from labels alone."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from endpoints.environments.image_origin import LABEL, MadeOf, made_of, origin_of
from endpoints.environments.spec import Recipe


@dataclass
class Image:
    id: str
    labels: dict[str, str]


def recipe(*lines: str, options: tuple[str, ...] = ()) -> MadeOf:
    return made_of("base", Recipe(requirements=lines, options=options), is_bare_image=False)


def image(name: str, made: MadeOf) -> Image:
    return Image(name, {LABEL: made.as_label()})


def begins_with(wanted: MadeOf, *images: Image) -> str:
    return origin_of(wanted, "python:3.11", images).image


def test_the_image_with_most_lines_in_common_is_taken():
    near, nearer = recipe("a==1", "b==1", "c==1"), recipe("a==2", "b==2", "c==1")
    assert begins_with(recipe("a==2", "b==2", "c==2"), image("near", near), image("nearer", nearer)) == "nearer"


def test_another_version_of_the_only_package_is_near():
    assert begins_with(recipe("Scikit_Learn==1.5.2"), image("old", recipe("scikit-learn==1.5.1"))) == "old"


def test_other_packages_other_settings_or_another_base_are_not():
    wanted = recipe("a", "b", "c")
    others = [
        recipe("x", "y", "c"),
        recipe("a", "b", "c", options=("--pre",)),
        msgspec.structs.replace(wanted, base="b"),
    ]
    assert [begins_with(wanted, image("there", other)) for other in others] == ["python:3.11"] * 3


def test_layers_add_up_only_so_far():
    wanted = recipe("a", "b")
    origin = origin_of(wanted, "base", [image("there", msgspec.structs.replace(wanted, layers=3))])
    assert (origin.is_finished, origin.made_of.layers) == (True, 4)
    assert begins_with(wanted, image("there", msgspec.structs.replace(wanted, layers=20))) == "python:3.11"


def test_labels_nobody_of_us_wrote_and_passwords_are_nowhere():
    assert begins_with(recipe("a"), Image("strange", {LABEL: "?"}), Image("none", {})) == "python:3.11"
    assert (
        "s3cret"
        not in recipe("a @ https://u:s3cret@host/a.whl", options=("--index-url https://u:s3cret@h",)).as_label()
    )
