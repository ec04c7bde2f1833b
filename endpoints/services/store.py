"""This studio's folders and its content-addressed store, from settings."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from endpoints.assets import AssetStore
from endpoints.spec.home import Home


def home() -> Home:
    return Home(Path(settings.SLIPWAY_HOME))


def asset_store() -> AssetStore:
    return AssetStore(home().blobs)
