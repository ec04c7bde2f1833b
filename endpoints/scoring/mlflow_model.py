"""The server's own entry script: an MLflow model behind the two ways of asking, Azure's and MLflow's.

mlflow, pandas and numpy are the user's environment's and are imported in init() only.
"""

from __future__ import annotations

import inspect
import logging
import os
import traceback
from typing import Any, Callable, Dict, List, Optional, Tuple

from .api.aml_response import AMLResponse
from .arguments import Adapter, Arguments, InputRefused, adapted_by, json_object, media_type, query_values
from .failure import BAD_ARGUMENT, IMPORT_ERROR, INIT_FAILED, BootFailure
from .http.request import HttpRequest
from .loader import PACKAGES
from .mlflow_data import BadInput, Csv, Reader, plain
from .mlflow_swagger import Describer

logger = logging.getLogger("azmlinfsrv.user_script")

MLMODEL = "MLmodel"
AZURE_KEY = "input_data"
MLFLOW_KEYS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_LONGEST_MESSAGE = 500
# Of what the model itself raises: with a checked signature only a ValueError is about the values.
_ABOUT_VALUES = (ValueError,)
_ABOUT_UNCHECKED = (ValueError, TypeError, KeyError, IndexError)


class Served:
    """A loaded model: from one request's payload to the value of its answer."""

    def __init__(self, model: Any, path: str) -> None:
        metadata = model.metadata
        self._model = model
        self.reader = Reader(metadata.get_input_schema())
        self.describer = Describer(metadata, self.reader, path)
        self._has_schema = metadata.get_input_schema() is not None
        self._takes_params = "params" in inspect.signature(model.predict).parameters

    def answer(self, payload: Any) -> Any:
        """Azure's plain value, or MLflow's object around it; a refusal in the form of whichever was asked in."""
        is_azure = not isinstance(payload, Csv) and AZURE_KEY in payload
        try:
            predicted = plain(self._predict(*self._input(payload, is_azure)))
        except BadInput as refused:
            logger.warning("The input was refused: %s", refused)
            return _refusal(str(refused), is_azure)
        return predicted if is_azure else {"predictions": predicted}

    def _input(self, payload: Any, is_azure: bool) -> Tuple[Any, Optional[Dict[str, Any]]]:
        if isinstance(payload, Csv):
            return self.reader.csv(payload), None
        params = payload.get("params")
        if params is not None and not isinstance(params, dict):
            raise BadInput("params: must be an object of names and values, not %s." % type(params).__name__)
        if is_azure:
            return self.reader.azure(payload[AZURE_KEY], AZURE_KEY), params
        keys = [key for key in MLFLOW_KEYS if key in payload]
        if len(keys) > 1:
            raise BadInput("Give one of %s, not several." % ", ".join(keys))
        return self.reader.mlflow(payload[keys[0]], keys[0]), params

    def _predict(self, data: Any, params: Optional[Dict[str, Any]]) -> Any:
        try:
            if params is not None and self._takes_params:
                return self._model.predict(data, params=params)
            return self._model.predict(data)
        except Exception as error:
            message = _complaint(error, _ABOUT_VALUES if self._has_schema else _ABOUT_UNCHECKED)
            if message is None:
                raise
            logger.warning("Encountered Exception: %s", traceback.format_exc())
            raise BadInput(message) from error


class Payloads(Adapter):
    """Requests as payloads: JSON objects, or a table as text/csv."""

    def arguments(self, request: HttpRequest) -> Arguments:
        if request.method == "GET":
            payload: Any = query_values(request.query)
        elif media_type(request) == "text/csv":
            return {"payload": _csv(request.body)}
        else:
            payload = json_object(request)
        if AZURE_KEY not in payload and not any(key in payload for key in MLFLOW_KEYS):
            raise InputRefused(400, "A value is not provided for the %r parameter." % AZURE_KEY)
        return {"payload": payload}

    def describe(self) -> str:
        return "The model is an MLflow model. Server will call its predict() with %s or with MLflow's %s." % (
            AZURE_KEY,
            ", ".join(MLFLOW_KEYS),
        )

    def schemas(self, version: str) -> Optional[Tuple[Any, Any]]:
        return None if _served is None else _served.describer.schemas()


_served: Optional[Served] = None


def init() -> None:
    """Load the model below AZUREML_MODEL_DIR. Raises BootFailure."""
    global _served
    path = find_model(os.environ.get("AZUREML_MODEL_DIR", ""))
    # Nothing leaves this process but answers.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    load_model = _load_function()
    try:
        model = load_model(path)
    except Exception as error:
        raise _load_failure(error) from error
    _served = Served(model, path)
    logger.info("Loaded the MLflow model %s", os.path.relpath(path, os.environ.get("AZUREML_MODEL_DIR", path)))


@adapted_by(Payloads())
def run(payload: Any) -> Any:
    """One request."""
    assert _served is not None  # noqa: S101  init() has run
    return _served.answer(payload)


def find_model(model_dir: str) -> str:
    """The folder of the outermost MLmodel below `model_dir`: parts of a model may be models themselves."""
    level: List[str] = [model_dir] if os.path.isdir(model_dir) else []
    while level:
        for folder in level:
            if os.path.isfile(os.path.join(folder, MLMODEL)):
                return folder
        level = [entry.path for folder in level for entry in sorted(os.scandir(folder), key=_name) if entry.is_dir()]
    raise BootFailure(
        BAD_ARGUMENT,
        "There is no file MLmodel in the model.",
        advice="Register the folder that MLflow saved as an mlflow_model.",
    )


def _name(entry: "os.DirEntry[str]") -> str:
    return entry.name


def _load_function() -> Callable[[str], Any]:
    try:
        from mlflow import pyfunc  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise BootFailure(
            IMPORT_ERROR,
            "mlflow cannot be imported in the model's environment: %s." % error,
            advice="Add mlflow, pandas and numpy to the environment the model is served in.",
            log_tail=traceback.format_exc(),
        ) from error
    load_model: Callable[[str], Any] = pyfunc.load_model
    return load_model


def _load_failure(error: BaseException) -> BootFailure:
    text = traceback.format_exc()
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.split(".")[0]
        return BootFailure(
            INIT_FAILED,
            "The model could not be loaded: it needs the module '%s', which is not in its environment." % error.name,
            advice="Add %s to the model's requirements (its conda.yaml or requirements.txt) and register it again."
            % PACKAGES.get(top, top.replace("_", "-")),
            log_tail=text,
        )
    return BootFailure(
        INIT_FAILED,
        "The model could not be loaded: %s: %s" % (type(error).__name__, _first_line(str(error))),
        advice="The environment must hold the versions the model was saved with; see the traceback in the log.",
        log_tail=text,
    )


def _csv(body: bytes) -> Csv:
    try:
        return Csv(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputRefused(400, "Input cannot be decoded as UTF-8: %s" % error) from None


def _refusal(message: str, is_azure: bool) -> AMLResponse:
    if is_azure:
        return AMLResponse({"message": message}, 400, json_str=True)
    return AMLResponse({"error_code": "BAD_REQUEST", "message": message}, 400, json_str=True)


def _complaint(error: Exception, about_values: Tuple[type, ...]) -> Optional[str]:
    """What is wrong with the input, where that is what the model complains of."""
    text = str(error)
    if getattr(error, "error_code", "") in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
        # Its message repeats the whole input before it comes to the point.
        return _first_line(text.rpartition("Error: ")[2] if text.startswith("Failed to enforce schema") else text)
    if isinstance(error, about_values):
        return "The model could not use the input: %s" % _first_line(text or type(error).__name__)
    return None


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE] + "…"
