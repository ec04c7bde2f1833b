"""Real MLflow models, made by mlflow and scikit-learn in an environment that the product's own builder makes."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

from endpoints.environments import EnvironmentSpec, VenvBuilder
from endpoints.environments.builds import BuildFailed
from endpoints.spec.home import Home
from tests.conftest import need

# mlflow pins itself beside these in the models' conda.yaml, so that all of them ask for one environment.
MLFLOW, PACKAGES = "mlflow==3.17.2", ["scikit-learn==1.9.1"]
_MINOR = ".".join(platform.python_version_tuple()[:2])
CONDA = {"dependencies": [f"python={_MINOR}", {"pip": [MLFLOW, *PACKAGES]}]}

# Writes one folder a model: what it takes is in its name.
MAKE = """
import sys
from pathlib import Path
import mlflow, numpy, pandas
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from sklearn.linear_model import LinearRegression

folder, packages = Path(sys.argv[1]), sys.argv[2:]
rows = pandas.DataFrame({"age": [20.0, 30.0, 40.0], "visits": [1, 5, 3]})
cost = 10 * rows["age"] + 2 * rows["visits"] + 1
named, nameless = LinearRegression().fit(rows, cost), LinearRegression().fit(rows.to_numpy(), cost)

def save(name, model, **options):
    mlflow.sklearn.save_model(model, folder / name, pip_requirements=packages, **options)

save("table", named, signature=infer_signature(rows, cost.to_numpy()), input_example=rows.head(2))
save("tensor", nameless, signature=infer_signature(rows.to_numpy(), cost.to_numpy()))
save("plain", nameless)

class Priced(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        prices = model_input["age"] * (params or {}).get("factor", 1.0)
        return pandas.DataFrame({"name": model_input["name"], "price": prices})

class Sums(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return {"sum": model_input["left"] + model_input["right"]}

class Fails(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        raise RuntimeError("secret of the house")

people = pandas.DataFrame({"age": [1.5], "name": ["Ada"]})
priced = infer_signature(people, params={"factor": 2.0})
floats = numpy.dtype("float32")
pair = Schema([TensorSpec(floats, (-1, 2), "left"), TensorSpec(floats, (-1, 2), "right")])
kinds = Schema([ColSpec(kind, kind.name, required=kind.name != "boolean") for kind in DataType])
for name, model, signature in (
    ("params", Priced(), priced),
    ("named", Sums(), ModelSignature(inputs=pair)),
    ("fails", Fails(), None),
    ("kinds", Fails(), ModelSignature(inputs=kinds)),
):
    options = {"input_example": (people, {"factor": 3.0})} if name == "params" else {}
    mlflow.pyfunc.save_model(
        folder / name, python_model=model, signature=signature, pip_requirements=packages, **options
    )
"""


def mlflow_python(folder: Path) -> Path:
    """A Python with mlflow and scikit-learn, of an environment built below `folder`."""
    try:
        result = VenvBuilder(Home(folder)).build(EnvironmentSpec(conda=CONDA))
    except BuildFailed as failed:
        need("packages", is_there=False, reason=f"mlflow cannot be installed: {failed.failure.message}")
        raise
    assert result.python is not None
    return result.python


def make_models(python: Path, folder: Path) -> Path:
    """Every model of `MAKE`, each a folder below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder.with_name(f"{folder.name}-make.py")
    script.write_text(MAKE)
    run_mlflow(python, script, folder, *PACKAGES)
    return folder


def run_mlflow(python: Path, *command: str | Path) -> None:
    """A script that uses mlflow, which then tells nobody."""
    done = subprocess.run(
        [python, *command],
        env={"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": "/usr/bin:/bin", "HOME": str(python.parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
