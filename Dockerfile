# Orbweb in a container: docs/service.md says how to run it.
#
#   docker build -t orbweb .
#   docker run --rm -v "$PWD/out:/crawl" --user "$(id -u):$(id -g)" orbweb crawl https://example.com/
#
# It runs as a user of its own, as PID 1, with a root file system that may be read-only;
# it writes nowhere but to /crawl and, for a moment, to /tmp.

FROM python:3.13-slim AS build
ARG EXTRAS=fields,serve,text,warc
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY hub hub
COPY crawler crawler
RUN python3 -m venv /opt/orbweb
RUN /opt/orbweb/bin/pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .
RUN /opt/orbweb/bin/pip install --no-cache-dir --only-binary :all: \
        "orbweb[$EXTRAS] @ file://$(echo /wheels/orbweb-*.whl)" \
    && /opt/orbweb/bin/pip uninstall --yes pip

FROM python:3.13-slim
COPY --from=build /opt/orbweb /opt/orbweb
RUN useradd --uid 10001 --no-create-home --home-dir /crawl --shell /usr/sbin/nologin orbweb \
    && install --directory --owner=orbweb --group=orbweb /crawl
USER 10001:10001
WORKDIR /crawl
VOLUME /crawl
EXPOSE 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/orbweb/bin/orbweb"]
CMD ["--help"]
