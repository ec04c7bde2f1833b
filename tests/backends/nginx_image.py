"""An image with Debian's nginx over the base image, as an admin would prepare one, and a server to run on it."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from shutil import which

from tests.backends.contract.harness import BASE_IMAGE, engine
from tests.conftest import need

PACKAGES = ("nginx", "libpcre2-8-0")
CONFIG = """daemon off; pid /tmp/nginx.pid; error_log stderr; worker_processes 1;
events {}
http {
  access_log /dev/stdout;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server {
    listen 8080; default_type application/json;
    location /v1/predict { return 200 '{"prediction": 42}'; }
    location /models/ { alias /models/; }
  }
  server { listen 8081; location /health { return 200 'ok'; } }
}
"""
DOCKERFILE = """FROM {base}
COPY nginx.conf /etc/slipway-nginx.conf
CMD ["/usr/sbin/nginx", "-c", "/etc/slipway-nginx.conf"]
"""


def build_context(folder: Path, *, base: str) -> Path:
    """A folder with a Dockerfile: the server on 8080, its health on 8081, the models' files below /models/."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=base))
    (folder / "nginx.conf").write_text(CONFIG)
    return folder


def nginx_base(tag: str, folder: Path) -> Iterator[str]:
    """The image `tag` for as long as it is needed; `folder` is scratch."""
    client = engine()
    need("docker", is_there=which("apt-get") is not None, reason="this host has no Debian packages")
    subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", *PACKAGES], cwd=folder, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, folder / "root"], check=True)
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        tar.add(folder / "root", arcname="root")
        dockerfile = f"FROM {BASE_IMAGE}\nCOPY root /\n".encode()
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        tar.addfile(entry, io.BytesIO(dockerfile))
    context.seek(0)
    client.images.build(fileobj=context, custom_context=True, tag=tag, rm=True)
    yield tag
    client.images.remove(tag, force=True)
