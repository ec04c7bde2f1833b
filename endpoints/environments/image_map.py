"""Which local image stands for a base that cannot be pulled, as an admin has said: patterns to image names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

# What `slipway images build-base` makes, and the bases it stands for unless an admin says otherwise.
BASE_IMAGE = "slipway-base:py3.11"
AZURE_IMAGES = "mcr.microsoft.com/azureml/*"


@dataclass(frozen=True, slots=True)
class ImageMap:
    """patterns: shell patterns of image names, in order, to the local image. default: where no image is named."""

    patterns: Mapping[str, str] = field(default_factory=dict)
    default: str = BASE_IMAGE

    def stand_in(self, image: str) -> str:
        """The local image for `image`, "" when no pattern fits."""
        return next((local for pattern, local in self.patterns.items() if fnmatchcase(image, pattern)), "")


def image_map(environ: Mapping[str, str]) -> ImageMap:
    """From SLIPWAY_IMAGE_MAP (`pattern=image`, separated by commas) and SLIPWAY_BASE_IMAGE."""
    pairs = (pair.partition("=") for pair in environ.get("SLIPWAY_IMAGE_MAP", "").split(","))
    patterns = {pattern.strip(): local.strip() for pattern, _, local in pairs if pattern.strip() and local.strip()}
    default = environ.get("SLIPWAY_BASE_IMAGE", "") or BASE_IMAGE
    return ImageMap(
        patterns={**patterns, **({} if AZURE_IMAGES in patterns else {AZURE_IMAGES: default})}, default=default
    )
