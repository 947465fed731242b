# A FastAPI app under uvicorn on port 8001. The programs that start it are in scripts/images/api.
#   docker build -f backend.Dockerfile --tag todo-chatbot-backend .
#   docker run -p 8001:8001 todo-chatbot-backend
ARG PYTHON_IMAGE=python:3.13.9-slim-trixie

FROM ${PYTHON_IMAGE} AS base
# A user with a name, and a home that can be written in the cluster too.
RUN groupadd --gid 10001 app \
    && useradd --no-log-init --uid 10001 --gid 10001 --no-create-home --home-dir /tmp app \
    && install -d -o app -g app /srv /data /seed
COPY scripts/images/api/bin/ /usr/local/bin/
COPY scripts/images/api/phase4/ /opt/phase4/phase4/
RUN python3 -m compileall -q /opt/phase4

FROM base AS packages
# Compilers, where a package has no wheel for this Python.
ARG BUILD_PACKAGES=
# hadolint ignore=SC2086
RUN install-debian-packages ${BUILD_PACKAGES} && python3 -m venv /venv
ARG REQUIREMENTS=phase3-chatbot/requirements.txt
# --no-deps where the list is whole, each package with its version.
ARG INSTALL_OPTIONS=
COPY ${REQUIREMENTS} /tmp/requirements.txt
# hadolint ignore=SC2086
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca --mount=type=secret,id=pip \
    with-package-sources /venv/bin/pip install --quiet --no-compile ${INSTALL_OPTIONS} \
       -r /tmp/requirements.txt \
    && /venv/bin/pip uninstall --quiet --yes pip \
    && find /venv -name tests -type d -prune -exec rm -rf {} + \
    # Compiled here: a container cannot keep what it compiles, and would do it at every start.
    # A file for another Python, as some packages hold, is passed over, as pip does.
    && { python3 -m compileall -qq -j 0 --invalidation-mode unchecked-hash /venv || true; }

FROM base
ARG RUN_PACKAGES=
# hadolint ignore=SC2086
RUN install-debian-packages ${RUN_PACKAGES}
COPY --from=packages /venv /venv
ARG DATA_DIR=/data
# Folders of the app from which it imports, besides its own: /srv/src:
ARG PYTHON_PATH=
ENV PATH=/venv/bin:$PATH PYTHONPATH=/srv:${PYTHON_PATH}/opt/phase4 \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp DATA_DIR=${DATA_DIR}
WORKDIR /srv
ARG SOURCE=phase3-chatbot
COPY --chown=10001:10001 ${SOURCE}/ ./
# Files that the app writes and that must stay: these paths lead to DATA_DIR, a volume.
ARG DATA_PATHS=
# hadolint ignore=SC2086
RUN python3 -m phase4.prepare ${DATA_PATHS}
ARG APP_MODULE=app.main:app
ARG APP_FACTORY=
ARG HEALTH_PATH=/health
ENV APP_MODULE=${APP_MODULE} APP_FACTORY=${APP_FACTORY} HEALTH_PATH=${HEALTH_PATH}
USER 10001
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python3", "-m", "phase4.health"]
CMD ["python3", "-m", "phase4.serve"]
