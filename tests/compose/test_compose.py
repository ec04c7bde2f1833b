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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

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
        compose("up", "-d", "--no-build", "--scale", "worker=2", "--scale", "gateway=2")
        yield compose
    finally:
        compose("down", "-v", "--timeout", "3")


def wait_for(url: str, within_s: float = 240) -> None:
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


def deploy(composed: Composed, token: str, folder: Path, name: str) -> str:
    """An endpoint that doubles what it gets; returns its key."""
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "score.py").write_text(
        "import json\n\n\ndef init():\n    pass\n\n\ndef run(data):\n    return [2 * n for n in json.loads(data)]\n"
    )
    (folder / "requirements.txt").write_text("packaging\n")
    document = {
        "name": "blue",
        "endpoint_name": name,
        "code_configuration": {"code": "./code", "scoring_script": "score.py"},
        "environment": {"requirements_file": "./requirements.txt"},
        "instance_type": "Standard_DS3_v2",
        "instance_count": 1,
    }
    (folder / "blue.yml").write_text(json.dumps(document))
    slipway(composed, token, folder, "online-endpoint", "create", "-n", name)
    slipway(composed, token, folder, "online-deployment", "create", "-f", "blue.yml", "--all-traffic")
    words = ("online-endpoint", "get-credentials", "-n", name, "-o", "tsv", "--query", "primaryKey")
    return slipway(composed, token, folder, *words).strip()


def score(composed: Composed, name: str, key: str) -> object:
    request = urllib.request.Request(
        f"{composed.environ['SLIPWAY_GATEWAY_URL']}/{name}/score",
        data=b"[1, 2, 3]",
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def records(composed: Composed, expression: str) -> Any:
    """What an expression over the studio's own tables says."""
    program = (
        "import json, django; django.setup(); from endpoints.models import *; "
        f"print('=>' + json.dumps({expression}, default=str))"
    )
    return json.loads(composed("exec", "-T", "web", "python", "-c", program).partition("=>")[2])


@pytest.fixture(scope="module")
def doubles(composed: Composed, token: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two endpoints and their keys."""
    folder = tmp_path_factory.mktemp("doubles")
    return {name: deploy(composed, token, folder, name) for name in ("doubles", "doubles-too")}


HOSTS = "dict(OnlineDeployment.objects.values_list('endpoint__name', 'host'))"
COUNTED = "sum(TrafficRollup.objects.filter(grain_s=10, endpoint='doubles').values_list('requests', flat=True))"
GATEWAYS = "CounterReceipt.objects.values_list('batch_id', flat=True)"


def until(is_so: Callable[[], bool], what: str, within_s: float = 240) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def test_deployments_on_two_hosts_answer_through_gateways_on_one_port(composed: Composed, doubles: dict[str, str]):
    assert {name: score(composed, name, key) for name, key in doubles.items()} == {name: [2, 4, 6] for name in doubles}
    hosts = records(composed, HOSTS)
    assert len(set(hosts.values())) == 2 and all(hosts.values()), hosts


def test_what_several_gateways_count_adds_up(composed: Composed, doubles: dict[str, str]):
    time.sleep(5)  # what was asked before is counted by then
    before = records(composed, COUNTED)
    for _ in range(60):
        score(composed, "doubles", doubles["doubles"])
    until(lambda: records(composed, COUNTED) >= before + 60, "not all were counted")
    assert records(composed, COUNTED) == before + 60
    masters = {each.rsplit("-", 3)[0] + each.rsplit("-", 3)[1] for each in records(composed, f"list({GATEWAYS})")}
    assert len(masters) == 2, masters


def test_a_host_that_dies_is_replaced_by_another(composed: Composed, doubles: dict[str, str]):
    victim = records(composed, HOSTS)["doubles"]
    container = engine().containers.get(victim)
    container.kill()
    until(lambda: records(composed, HOSTS)["doubles"] != victim, "still on the dead host")
    until(lambda: is_answering(composed, doubles["doubles"]), "does not answer on the other host")
    assert score(composed, "doubles-too", doubles["doubles-too"]) == [2, 4, 6]


def is_answering(composed: Composed, key: str) -> bool:
    try:
        return score(composed, "doubles", key) == [2, 4, 6]
    except OSError:
        return False


def test_nothing_of_the_studio_runs_as_root_or_holds_a_secret_in_its_image(composed: Composed, token: str):
    containers = engine().containers.list(filters={"label": f"com.docker.compose.project={composed.project}"})
    users = {one.name: {uid for _, uid in one.top(ps_args="-eo pid,uid")["Processes"]} for one in containers}
    assert len(users) >= 6 and set.union(*users.values()) == {"1000"}, users
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
