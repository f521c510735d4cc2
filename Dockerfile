# The service: locked wheels, no compiler, no pip, no root. It writes nothing, so it runs with a read-only file system.
#
#   docker build -t specroute .
#   docker run --read-only -v $PWD/config.yaml:/etc/specroute/config.yaml:ro -p 50051:50051 specroute
#
# The configuration must listen on 0.0.0.0:50051 and 0.0.0.0:9464; the trained model is found as router_models/default, and
# where all of /etc/specroute is mounted, as /usr/share/specroute/router_models/default. With tls set, give the probe below
# --ca FILE (and --cert FILE --key FILE where clients are asked for one), or use the platform's own.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/serve.lock requirements/build.lock requirements/
RUN python -m venv --without-pip /opt/specroute \
    && python -m pip --python /opt/specroute install --require-hashes --only-binary=:all: -r requirements/serve.lock \
    && python -m pip install --require-hashes --only-binary=:all: -r requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && python -m pip --python /opt/specroute install --no-deps --no-index dist/*.whl \
    && python -m compileall -q /opt/specroute/lib

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 specroute \
    && useradd --system --uid 10001 --gid specroute --no-create-home --shell /usr/sbin/nologin specroute
COPY --from=build /opt/specroute /opt/specroute
COPY router_models /usr/share/specroute/router_models
# Paths in a configuration start at its folder: this one makes config.example.yaml right as it stands.
RUN mkdir /etc/specroute && ln -s /usr/share/specroute/router_models /etc/specroute/router_models
ENV PATH=/opt/specroute/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1
USER 10001:10001
EXPOSE 50051 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-m", "specroute.edge.client.probe", "127.0.0.1:50051"]
ENTRYPOINT ["specroute", "serve", "--config", "/etc/specroute/config.yaml"]
