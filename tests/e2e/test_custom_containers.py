"""Images that bring their own web server, through the real gateway: Debian's nginx, and MLServer with a real model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.contract.harness import BASE_IMAGE, engine
from tests.backends.nginx_image import build_context, nginx_base
from tests.e2e.conftest import RunningStudio, remove_images, start_studio
from tests.e2e.gateway_calls import call

pytestmark = [pytest.mark.slow, pytest.mark.docker]

NGINX = """name: {name}
endpoint_name: nginx
backend: docker
model: {{path: weights.bin, name: weights, version: "1"}}
model_mount_path: /models
environment:
  build: {{path: context}}
  inference_config:
    liveness_route: {{port: 8081, path: /health}}
    readiness_route: {{port: 8081, path: {readiness}}}
    scoring_route: {{port: 8080, path: /v1/predict}}
readiness_probe: {{initial_delay: 1, period: 1, failure_threshold: 5}}
instance_type: Standard_DS2_v2
"""

SKLEARN = "scikit-learn==1.9.1"
MLSERVER_DOCKERFILE = f"""FROM {BASE_IMAGE}
RUN pip install --no-cache-dir mlserver==1.7.1 mlserver-sklearn==1.7.1 {SKLEARN}
WORKDIR /tmp
ENV MLSERVER_PARALLEL_WORKERS=0 MLSERVER_METRICS_DIR=/tmp/metrics
CMD ["python3", "-m", "mlserver.cli.main", "start", "/mnt/models"]
"""
MLSERVER = """name: blue
endpoint_name: mlserver
backend: docker
model: {path: costs, name: costs, version: "1"}
model_mount_path: /mnt/models
environment:
  build: {path: context}
  inference_config:
    liveness_route: {port: 8080, path: /v2/health/live}
    readiness_route: {port: 8080, path: /v2/models/costs/ready}
    scoring_route: {port: 8080, path: /v2/models/costs/infer}
instance_type: Standard_DS2_v2
"""
MODEL_SETTINGS = {
    "name": "costs",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": "./model.joblib", "version": "v1"},
}
TRAIN = """
import sys, joblib, numpy
from sklearn.linear_model import LinearRegression
rows = numpy.array([[20.0, 1.0], [30.0, 5.0], [40.0, 3.0]])
joblib.dump(LinearRegression().fit(rows, 10 * rows[:, 0] + 2 * rows[:, 1] + 1), sys.argv[1])
"""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    engine()
    home = tmp_path_factory.mktemp("studio") / "home"
    running = start_studio(home, "--no-sample", more={"SLIPWAY_BASE_IMAGE": BASE_IMAGE})
    yield running
    running.stop()
    remove_images(home)


@pytest.fixture(scope="module")
def nginx(studio: RunningStudio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder to deploy nginx from, behind an endpoint of that name."""
    folder = tmp_path_factory.mktemp("nginx")
    for base in nginx_base("slipway-e2e-nginx:latest", tmp_path_factory.mktemp("packages")):
        build_context(folder / "context", base=base)
        (folder / "weights.bin").write_text("weights")
        studio.slipway("online-endpoint", "create", "--name", "nginx")
        yield folder
        studio.slipway("online-endpoint", "delete", "-n", "nginx", "--yes")


def deploy_nginx(studio: RunningStudio, folder: Path, *flags: str, name: str, readiness: str = "/health") -> str:
    (folder / f"{name}.yml").write_text(NGINX.format(name=name, readiness=readiness))
    done = studio.slipway("online-deployment", "create", "-f", f"{name}.yml", *flags, cwd=folder, check=False)
    return done.stderr


def test_nginx_answers_on_the_scoring_route_and_on_paths_of_its_own(studio: RunningStudio, nginx: Path):
    deploy_nginx(studio, nginx, "--all-traffic", name="blue")
    scored = call(studio, "nginx", {"any": 1})
    assert (scored.json, scored.headers["azureml-model-deployment"]) == ({"prediction": 42}, "blue")
    assert call(studio, "nginx", None, path="v1/predict?x=1").json == {"prediction": 42}
    assert call(studio, "nginx", None, path="models/weights/1/weights.bin").text == "weights"
    assert call(studio, "nginx", None, path="nowhere").status == 404
    assert call(studio, "nginx", None, path="health").status == 404  # that is another port's, for the probes alone
    logs = studio.slipway("online-deployment", "get-logs", "-n", "blue", "-e", "nginx").stdout
    assert '"POST /v1/predict HTTP/1.1" 200' in logs and "GET /v1/predict?x=1" in logs


def test_a_path_that_steps_out_stays_with_its_own_endpoint(studio: RunningStudio, nginx: Path):
    """Whoever has one endpoint's key reaches nothing else by it, however the path is written."""
    for path in ("../mlserver/score", "..%2fmlserver%2fscore", "//mlserver/score", "%2e%2e/mlserver/score"):
        answer = call(studio, "nginx", None, path=path)
        assert answer.status in (400, 404) and answer.headers.get("azureml-model-deployment", "blue") == "blue"


def test_readiness_that_fails_is_explained_with_its_route_and_port(studio: RunningStudio, nginx: Path):
    said = deploy_nginx(studio, nginx, name="unready", readiness="/not/there")
    assert "ResourceNotReady" in said and "GET /not/there on port 8081: HTTP status 404" in said
    assert "Compare the routes and ports of inference_config" in said
    assert call(studio, "nginx", {"any": 1}).headers["azureml-model-deployment"] == "blue"  # which goes on


@pytest.fixture(scope="module")
def mlserver(studio: RunningStudio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder to deploy MLServer from: its Dockerfile and a model as MLServer wants it."""
    folder = tmp_path_factory.mktemp("mlserver")
    for name in ("context", "costs"):
        (folder / name).mkdir()
    (folder / "context" / "Dockerfile").write_text(MLSERVER_DOCKERFILE)
    (folder / "costs" / "model-settings.json").write_text(json.dumps(MODEL_SETTINGS))
    (folder / "train.py").write_text(TRAIN)
    (folder / "blue.yml").write_text(MLSERVER)
    uv = str(Path(sys.executable).with_name("uv"))
    train = ("python", "train.py", "costs/model.joblib")
    subprocess.run(
        [uv, "run", "--quiet", "--no-project", "--python", sys.executable, "--with", SKLEARN, *train],
        cwd=folder,
        check=True,
        timeout=300,
    )
    studio.slipway("online-endpoint", "create", "--name", "mlserver")
    yield folder
    studio.slipway("online-endpoint", "delete", "-n", "mlserver", "--yes")


def test_mlserver_serves_a_model_of_scikit_learn_with_its_own_protocol(studio: RunningStudio, mlserver: Path):
    studio.slipway("online-deployment", "create", "-f", "blue.yml", "--all-traffic", cwd=mlserver, timeout_s=600)
    tensor = {"name": "predict", "shape": [2, 2], "datatype": "FP64", "data": [20.0, 1.0, 30.0, 5.0]}
    for path in ("score", "v2/models/costs/infer", "v2/models/costs/versions/v1/infer"):
        answer = call(studio, "mlserver", {"inputs": [tensor]}, path=path)
        assert answer.json["outputs"][0]["data"] == pytest.approx([203.0, 311.0])
    assert call(studio, "mlserver", None, path="v2/models/costs").json["name"] == "costs"
    assert call(studio, "mlserver", None, path="v2/health/ready").status == 200
    wrong = call(studio, "mlserver", {"inputs": "none"}, path="v2/models/costs/infer")
    assert wrong.status == 422 and "detail" in wrong.json
    logs = studio.slipway("online-deployment", "get-logs", "-n", "blue", "-e", "mlserver").stdout
    assert "Loaded model 'costs' successfully" in logs and "POST /v2/models/costs/infer" in logs
