"""The compose file as it stands, on images made of Debian packages: a deployment answers through the gateway."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import pytest

from tests.backends.contract.harness import BASE_IMAGE, engine
from tests.conftest import need
from tests.e2e.conftest import ROOT, free_port

pytestmark = [pytest.mark.docker, pytest.mark.slow]

SERVERS = "slipway-test-servers:latest"
STUDIO = "slipway-test-studio:latest"
ONLY_DEPENDS = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")]


def run(*command: str, cwd: Path | None = None, environ: dict[str, str] | None = None, within_s: float = 300) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(environ or {})}, capture_output=True, text=True, timeout=within_s
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PostgreSQL and Redis of Debian packages in one image; kept on the engine, for it takes a while."""
    client = engine()
    need("docker", is_there=which("apt-get") is not None, reason="this host has no Debian packages")
    if client.images.list(SERVERS):
        return SERVERS
    folder = tmp_path_factory.mktemp("servers")
    wanted = run("apt-cache", "depends", "--recurse", *ONLY_DEPENDS, "postgresql-15", "redis-server").splitlines()
    names = sorted({line for line in wanted if line[:1].isalnum()} - {"debconf", "perl", "dpkg", "init-system-helpers"})
    real = [name for name in names if "Candidate: (none)" not in run("apt-cache", "policy", name)]
    run("apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", *real, cwd=folder)
    for package in folder.glob("*.deb"):
        run("dpkg-deb", "--extract", str(package), str(folder / "root"))
    dockerfile = f"FROM {BASE_IMAGE}\nCOPY root /\nCOPY start /usr/local/bin/start-postgres\nUSER 1000\n"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for top in ("usr", "lib", "etc"):
            if (folder / "root" / top).exists():
                tar.add(folder / "root" / top, arcname=f"root/{top}")
        tar.add(Path(__file__).with_name("postgres.sh"), arcname="start")
        entry = tarfile.TarInfo("Dockerfile")
        volume = "USER 0\nRUN mkdir -p /var/lib/postgresql/data && chown 1000 /var/lib/postgresql/data\nUSER 1000\n"
        content = (
            dockerfile + volume + "RUN chmod -R a+rX /usr/share/postgresql /usr/lib/postgresql || true\n"
        ).encode()
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    context.seek(0)
    client.images.build(fileobj=context, custom_context=True, tag=SERVERS, rm=True)
    return SERVERS


@dataclass
class Composed:
    project: str
    environ: dict[str, str]

    def __call__(self, *words: str, within_s: float = 300) -> str:
        file = ("-f", "docker-compose.yml", "-f", "tests/compose/local.yml")
        command = ("docker-compose", *file, "-p", self.project, *words)
        return run(*command, cwd=ROOT, environ=self.environ, within_s=within_s)


@pytest.fixture(scope="module")
def composed(servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    need("docker", is_there=which("docker-compose") is not None, reason="docker-compose is not installed")
    secrets = tmp_path_factory.mktemp("secrets")
    for name in ("database_password", "admin_password"):
        (secrets / name).write_text("correct-horse-battery\n")
        (secrets / name).chmod(0o644)
    secrets.chmod(0o755)
    secrets.parent.chmod(0o755)
    port, gateway_port = free_port(), free_port()
    environ = {
        "SLIPWAY_IMAGE": STUDIO,
        "SLIPWAY_BUILD_BASE": BASE_IMAGE,
        "SLIPWAY_POSTGRES_IMAGE": servers,
        "SLIPWAY_REDIS_IMAGE": servers,
        "SLIPWAY_SECRETS": str(secrets),
        "SLIPWAY_PORT": str(port),
        "SLIPWAY_GATEWAY_PORT": str(gateway_port),
        "SLIPWAY_URL": f"http://localhost:{port}",
        "SLIPWAY_GATEWAY_URL": f"http://localhost:{gateway_port}",
        "COMPOSE_HTTP_TIMEOUT": "300",
    }
    compose = Composed(f"slipwaytest{uuid.uuid4().hex[:8]}", environ)
    run("docker", "build", "--build-arg", f"BASE={BASE_IMAGE}", "-t", STUDIO, ".", cwd=ROOT, within_s=600)
    try:
        compose("up", "-d", "--no-build")
        yield compose
    finally:
        compose("down", "-v", "--timeout", "3")


def wait_for(url: str, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=3) as answer:
                assert answer.status == 200
            return
        except OSError:
            assert time.monotonic() < deadline, url
            time.sleep(0.3)


@pytest.fixture(scope="module")
def token(composed: Composed) -> str:
    """A token for a command line outside, as the documentation makes one."""
    wait_for(f"{composed.environ['SLIPWAY_URL']}/healthz")
    wait_for(f"{composed.environ['SLIPWAY_GATEWAY_URL']}/-/healthz")
    file = "/tmp/connection.json"
    command = f"python -m django studio_bootstrap --connection-file {file} >/dev/null && cat {file}"
    return str(json.loads(composed("exec", "-T", "web", "sh", "-c", command))["token"])


def slipway(composed: Composed, token: str, folder: Path, *words: str) -> str:
    environ = {"SLIPWAY_URL": composed.environ["SLIPWAY_URL"], "SLIPWAY_TOKEN": token, "HOME": str(folder)}
    return run(str(Path(sys.executable).with_name("slipway")), *words, cwd=folder, environ=environ)


def test_a_deployment_answers_through_the_gateway(composed: Composed, token: str, tmp_path: Path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "score.py").write_text(
        "import json\n\n\ndef init():\n    pass\n\n\ndef run(data):\n    return [2 * n for n in json.loads(data)]\n"
    )
    (tmp_path / "requirements.txt").write_text("packaging\n")
    document = {
        "name": "blue",
        "endpoint_name": "doubles",
        "code_configuration": {"code": "./code", "scoring_script": "score.py"},
        "environment": {"requirements_file": "./requirements.txt"},
        "instance_type": "Standard_DS3_v2",
        "instance_count": 1,
    }
    (tmp_path / "blue.yml").write_text(json.dumps(document))
    (tmp_path / "request.json").write_text("[1, 2, 3]")
    slipway(composed, token, tmp_path, "online-endpoint", "create", "-n", "doubles")
    slipway(composed, token, tmp_path, "online-deployment", "create", "-f", "blue.yml", "--all-traffic")
    words = ("online-endpoint", "get-credentials", "-n", "doubles", "-o", "tsv", "--query", "primaryKey")
    key = slipway(composed, token, tmp_path, *words).strip()
    request = urllib.request.Request(
        f"{composed.environ['SLIPWAY_GATEWAY_URL']}/doubles/score",
        data=b"[1, 2, 3]",
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer) == [2, 4, 6]


def test_nothing_of_the_studio_runs_as_root_or_holds_a_secret_in_its_image(composed: Composed, token: str):
    assert composed("exec", "-T", "worker", "id", "-u").strip() == "1000"
    history = json.dumps(engine().images.get(STUDIO).attrs) + json.dumps(engine().images.get(STUDIO).history())
    assert "correct-horse-battery" not in history


def test_a_backup_brings_the_studio_back(composed: Composed, token: str, tmp_path: Path):
    """The commands of docs/compose.md, from the page itself."""
    commands = documented_commands()
    slipway(composed, token, tmp_path, "online-endpoint", "create", "-n", "kept")
    for command in commands[:2]:
        shell(composed, command, tmp_path)
    slipway(composed, token, tmp_path, "online-endpoint", "create", "-n", "after-it")
    for command in commands[2:]:
        shell(composed, command, tmp_path)
    wait_for(f"{composed.environ['SLIPWAY_URL']}/healthz")
    names = json.loads(
        slipway(composed, token, tmp_path, "online-endpoint", "list", "-o", "json", "--query", "[].name")
    )
    assert "kept" in names and "after-it" not in names


def documented_commands() -> list[str]:
    page = (ROOT / "docs" / "compose.md").read_text().partition("## Backup and restore")[2]
    blocks = page.split("```sh\n")[1:]
    text = "".join(block.partition("```")[0] for block in blocks).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


def shell(composed: Composed, command: str, folder: Path) -> None:
    """A line of the documentation, spoken to this project: its files lie in `folder`."""
    file = f"-f {ROOT}/docker-compose.yml -f {ROOT}/tests/compose/local.yml --project-directory {ROOT}"
    spoken = command.replace("docker-compose", f"docker-compose {file} -p {composed.project}")
    run("bash", "-euc", spoken, cwd=folder, environ=composed.environ)
