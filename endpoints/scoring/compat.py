"""The module names scripts import from, leading to `api`, whether or not the packages of those names are installed.

Our own classes are always given, because the server must recognise them; everything else in the real packages stays
reachable.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any, List, Optional, Sequence

from .api import aml_request, aml_response

_PACKAGES = ("azureml_inference_server_http", "azureml_inference_server_http.api", "azureml.contrib.services")
_REQUEST = ("azureml_inference_server_http.api.aml_request", "azureml.contrib.services.aml_request")
_RESPONSE = ("azureml_inference_server_http.api.aml_response", "azureml.contrib.services.aml_response")
_PARENTS = ("azureml", "azureml.contrib")  # given only where nothing real is installed


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes modules of the given names, as packages that go on into the real folder of that name."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if fullname not in self._names:
            return None
        spec = importlib.machinery.ModuleSpec(fullname, self, is_package=fullname in _PACKAGES + _PARENTS)
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.extend(_real_folders(fullname, path))
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Optional[ModuleType]:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        contents: Any = vars(module)
        if name in _REQUEST or name in _PACKAGES:
            contents.update(AMLRequest=aml_request.AMLRequest, rawhttp=aml_request.rawhttp)
        if name in _RESPONSE or name in _PACKAGES:
            contents.update(AMLResponse=aml_response.AMLResponse)


def _real_folders(fullname: str, path: Optional[Sequence[str]]) -> List[str]:
    spec = importlib.machinery.PathFinder.find_spec(fullname, path)
    return list(spec.submodule_search_locations or ()) if spec is not None else []


def install() -> None:
    """From now on the names import. Calling it twice changes nothing."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder(_PACKAGES + _REQUEST + _RESPONSE))
    sys.meta_path.append(_Finder(_PARENTS))
