# A FastAPI app under uvicorn on port 8001. Context: the folder from which the app is imported, with its requirements.txt.
#   docker build -f backend.Dockerfile --tag todo-chatbot-backend phase3-chatbot
#   docker run -p 8001:8001 todo-chatbot-backend
ARG PYTHON_IMAGE=python:3.13.9-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PYTHONDONTWRITEBYTECODE=1
# Compilers, where a package has no wheel for this Python.
ARG BUILD_PACKAGES=
# hadolint ignore=DL3008,SC2086
RUN [ -z "${BUILD_PACKAGES}" ] || { apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ${BUILD_PACKAGES} && rm -rf /var/lib/apt/lists/*; }
RUN python3 -m venv /venv
COPY requirements.txt /tmp/
# Where packages come from (a mirror, a private CA) is the builder's business: secrets, gone with the step.
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca --mount=type=secret,id=pip \
    if [ -s /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi; \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    /venv/bin/pip install --quiet --disable-pip-version-check --no-compile -r /tmp/requirements.txt \
    && /venv/bin/pip uninstall --quiet --yes pip \
    && find /venv -name tests -type d -prune -exec rm -rf {} + \
    # Compiled here: a container cannot write what it compiles, and would do it again at every start.
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /venv

FROM ${PYTHON_IMAGE}
ARG RUN_PACKAGES=
# hadolint ignore=DL3008,SC2086
RUN [ -z "${RUN_PACKAGES}" ] || { apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ${RUN_PACKAGES} && rm -rf /var/lib/apt/lists/*; }
# Where the app keeps files: below DATA_DIR, a volume in the cluster.
ARG DATA_DIR=/data
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/srv HOME=/tmp DATA_DIR=${DATA_DIR}
COPY --from=build /venv /venv
RUN mkdir -p "${DATA_DIR}" && chown -R 10001:10001 /data
WORKDIR /srv
COPY . .
# Paths below /srv that the app writes lead to DATA_DIR; what the app brings there is its first content.
ARG DATA_PATHS=
RUN for path in ${DATA_PATHS}; do \
      name="${path%/}"; mkdir -p "/seed/$(dirname "${name}")" "$(dirname "${name}")"; \
      case "${path}" in */) mkdir -p "/seed/${name}";; esac; \
      if [ -d "${name}" ]; then cp -a "${name}/." "/seed/${name}"; rm -rf "${name}"; elif [ -e "${name}" ]; then mv "${name}" "/seed/${name}"; fi; \
      ln -s "${DATA_DIR}/${name}" "${name}"; \
    done; mkdir -p /seed; python3 -m compileall -q . || true
ARG APP_MODULE=app.main:app
ARG APP_TARGET=
ARG APP_FACTORY=
ARG HEALTH_PATH=/health
ENV APP_MODULE=${APP_MODULE} APP_TARGET=${APP_TARGET} APP_FACTORY=${APP_FACTORY} HEALTH_PATH=${HEALTH_PATH}
USER 10001
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python3", "-c", "import os, socket, urllib.request as web; path = os.environ['HEALTH_PATH']; web.urlopen('http://127.0.0.1:8001' + path, timeout=2) if path else socket.create_connection(('127.0.0.1', 8001), 2)"]
# exec: uvicorn is process 1 and hears the signal to stop. Forwarded headers come from the ingress, the only way in.
CMD ["sh", "-c", "mkdir -p \"$DATA_DIR\"; cp -rn /seed/. \"$DATA_DIR\"/ || true; exec uvicorn \"$APP_MODULE\" --host 0.0.0.0 --port 8001 --no-access-log --proxy-headers --forwarded-allow-ips='*' --timeout-graceful-shutdown 20"]
