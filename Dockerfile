# Barograph with the drivers of every database, cache and queue that it can use:
#   docker build -t barograph .
# Everything it keeps is in /data.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/barograph
WORKDIR /src
# The dependencies change more rarely than the code, and are a layer of their own.
COPY requirements-server.txt requirements-build.txt ./
RUN /opt/barograph/bin/pip install --require-hashes -r requirements-server.txt \
 && python -m venv /opt/build && /opt/build/bin/pip install --require-hashes --no-deps -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/barograph/bin/pip install --no-deps /dist/*.whl

FROM python:3.13-slim
# A number and no name, so that Kubernetes can see that it is not root.
RUN install -d -o 10001 -g 10001 -m 700 /data
COPY --from=build /opt/barograph /opt/barograph
ENV PATH=/opt/barograph/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    BAROGRAPH_DATA_DIR=/data \
    BAROGRAPH_HOST=0.0.0.0 \
    BAROGRAPH_PORT=8000
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000 1883 8883
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["barograph"]
CMD ["serve"]
