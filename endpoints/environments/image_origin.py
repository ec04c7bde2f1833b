"""Which finished image a build may begin with: one of the same base whose packages are mostly the same.

Then only what differs is installed, and the new image is one layer on the old one. Labels say what an image was made
of, by digests: a line may hold a password.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from endpoints.environments.spec import Recipe

LABEL = "slipway.made-of"
# Layers add up, and an engine takes no more than some 120.
_MOST_LAYERS = 20
_ENOUGH_IN_COMMON = 0.5


class MadeOf(msgspec.Struct, frozen=True):
    """base: id of the image below. kind: digest of all that has to be the same. packages: digest of a requirement's
    name to that of its line. layers: how many of ours lie on the base.
    """

    base: str
    kind: str
    packages: dict[str, str]
    layers: int = 1

    def as_label(self) -> str:
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True, slots=True)
class Origin:
    """The image to begin with, and what is to be recorded of the one it becomes."""

    image: str
    made_of: MadeOf
    is_finished: bool = False


def made_of(base_id: str, recipe: Recipe, *, is_bare_image: bool) -> MadeOf:
    kind = _digest(repr((recipe.python, recipe.options, is_bare_image)))
    packages = {_digest(_name(line)): _digest(line) for line in recipe.requirements}
    return MadeOf(base=base_id, kind=kind, packages=packages)


def _name(line: str) -> str:
    found = re.match(r"[\w.-]+", line)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else line


def origin_of(wanted: MadeOf, base: str, images: Iterable[Any]) -> Origin:
    """The nearest of `images` where one is near enough, else `base`."""
    near = [(image, there) for image in images if (there := _read(image.labels)) and _is_near(there, wanted)]
    if not near:
        return Origin(base, wanted)
    image, there = max(near, key=lambda pair: len(pair[1].packages.items() & wanted.packages.items()))
    return Origin(str(image.id), msgspec.structs.replace(wanted, layers=there.layers + 1), is_finished=True)


def _is_near(there: MadeOf, wanted: MadeOf) -> bool:
    """Of the same base and settings, with most packages of the same names, whatever their versions."""
    if (there.base, there.kind) != (wanted.base, wanted.kind) or there.layers >= _MOST_LAYERS:
        return False
    together = there.packages.keys() | wanted.packages.keys()
    return len(there.packages.keys() & wanted.packages.keys()) >= _ENOUGH_IN_COMMON * max(1, len(together))


def _read(labels: Mapping[str, str]) -> MadeOf | None:
    try:
        return msgspec.json.decode(labels.get(LABEL, ""), type=MadeOf)
    except msgspec.MsgspecError:
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
