# One image for web, worker, beat and gateway. BASE is any image with Python 3.11 and pip; where none can be pulled,
# `slipway images build-base` makes one of Debian packages: --build-arg BASE=slipway-base:py3.11
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m pip install --no-cache-dir --target /opt/tools uv
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
RUN /opt/tools/bin/uv venv --python python3 --no-project /opt/slipway
# Packages change less often than the studio: they are a layer of their own.
COPY requirements.lock ./
RUN /opt/tools/bin/uv pip install --python /opt/slipway/bin/python --require-hashes -r requirements.lock \
 && /opt/tools/bin/uv pip install --python /opt/slipway/bin/python "psycopg[binary]>=3.2,<4"
COPY . /app
RUN /opt/tools/bin/uv pip install --python /opt/slipway/bin/python --no-deps -e /app
# The gateway's hot modules are compiled where a compiler can be had (python:3.11-slim has the headers, apt the compiler);
# elsewhere, or with COMPILE=off, the same source runs interpreted. The gateway's log says which.
ARG COMPILE=auto
RUN if [ "$COMPILE" = off ]; then exit 0; fi; \
    if { command -v gcc || { apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev; }; } >/tmp/gcc.log 2>&1 \
    && /opt/tools/bin/uv pip install --python /opt/slipway/bin/python --target /opt/compiler -c /app/requirements-dev.lock mypy setuptools \
    && cd /app && PYTHONPATH=/opt/compiler /opt/slipway/bin/python -m endpoints.gateway.compile; \
    then rm -rf .mypy_cache; else rm -rf build; echo "not compiled: the gateway will run interpreted"; tail -3 /tmp/gcc.log; fi

FROM ${BASE}
COPY --from=build /opt/slipway /opt/slipway
COPY --from=build /app /app
# A volume laid over /data takes its owner from here.
RUN mkdir -p /data && chown 1000:1000 /data
ENV PATH=/opt/slipway/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=studio.settings \
    HOME=/tmp SLIPWAY_HOME=/data SLIPWAY_BIND=0.0.0.0 SLIPWAY_GATEWAY_BIND=0.0.0.0
WORKDIR /app
USER 1000:1000
VOLUME /data
CMD ["python", "-m", "studio.launcher", "--no-sample"]
