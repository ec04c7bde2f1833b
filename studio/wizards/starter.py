"""Scoring scripts and environments to begin with, filled in for the model at hand. Texts only."""

from __future__ import annotations

from pathlib import PurePosixPath

DEFAULT_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest"

_JOBLIB_SUFFIXES = {".pkl", ".pickle", ".joblib", ".sav"}

_SCIKIT_LEARN = '''\
import json
import logging
import os

import joblib

model = None


def init():
    """Runs once, when an instance starts. AZUREML_MODEL_DIR is the folder the model was laid into."""
    global model
    path = os.path.join(os.environ["AZUREML_MODEL_DIR"], {path})
    model = joblib.load(path)
    logging.info("Loaded %s", path)


def run(raw_data):
    """Runs for every request. raw_data is the request's body; what is returned becomes the answer's JSON."""
    rows = json.loads(raw_data)["data"]
    logging.info("Scoring %d rows", len(rows))
    return model.predict(rows).tolist()
'''

_ONNX = '''\
import json
import os

import numpy
import onnxruntime

session = None


def init():
    """Runs once, when an instance starts. AZUREML_MODEL_DIR is the folder the model was laid into."""
    global session
    session = onnxruntime.InferenceSession(os.path.join(os.environ["AZUREML_MODEL_DIR"], {path}))


def run(raw_data):
    """Runs for every request. raw_data is the request's body; what is returned becomes the answer's JSON."""
    rows = numpy.asarray(json.loads(raw_data)["data"], dtype=numpy.float32)
    outputs = session.run(None, {{session.get_inputs()[0].name: rows}})
    return outputs[0].tolist()
'''

_PLAIN = '''\
import json
import logging
import os


def init():
    """Runs once, when an instance starts. AZUREML_MODEL_DIR is the folder the model was laid into."""
    logging.info("Model files: %s", os.listdir(os.environ.get("AZUREML_MODEL_DIR", ".")))


def run(raw_data):
    """Runs for every request. raw_data is the request's body; what is returned becomes the answer's JSON."""
    rows = json.loads(raw_data)["data"]
    return {"rows": len(rows)}
'''

CONDA = """\
name: scikit-learn
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
      - scikit-learn
      - joblib
"""


def scoring_script(model_file: str) -> str:
    """A script that loads `model_file`, a path below AZUREML_MODEL_DIR ("" when there is no model)."""
    suffix = PurePosixPath(model_file).suffix.lower()
    if suffix in _JOBLIB_SUFFIXES:
        return _SCIKIT_LEARN.format(path=_arguments(model_file))
    if suffix == ".onnx":
        return _ONNX.format(path=_arguments(model_file))
    return _PLAIN


def renewed(script: str, before: str, now: str) -> str:
    """`script` for another model file, as long as nobody has changed the starter it was."""
    is_untouched = script.replace("\r\n", "\n").rstrip() == scoring_script(before).rstrip()
    return scoring_script(now) if is_untouched else script


def model_file(paths: list[str]) -> str:
    """The one of `paths` that looks most like the model itself, "" for none."""
    known = [path for path in paths if PurePosixPath(path).suffix.lower() in {*_JOBLIB_SUFFIXES, ".onnx"}]
    return min(known, key=lambda path: (path.count("/"), path)) if known else ""


def has_mlmodel(paths: list[str]) -> bool:
    """Whether MLflow saved these files."""
    return any(PurePosixPath(path).name == "MLmodel" for path in paths)


def _arguments(path: str) -> str:
    """`path` as the arguments of os.path.join: `"model", "model.pkl"`."""
    return ", ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in PurePosixPath(path).parts)
