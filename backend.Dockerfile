# A FastAPI app under uvicorn on port 8001. The context: the folder from which it is imported.
#   docker build --tag phase4/api scripts/images/api
#   docker build -f backend.Dockerfile --tag todo-chatbot-backend phase3-chatbot
#   docker run -p 8001:8001 todo-chatbot-backend
# The first image has Python and our programs; `invoke build-images` makes it, too.
ARG API_IMAGE=phase4/api

FROM ${API_IMAGE} AS packages
# Compilers, where a package has no wheel for this Python.
ARG BUILD_PACKAGES=
# hadolint ignore=SC2086
RUN install-debian-packages ${BUILD_PACKAGES}
RUN python3 -m venv /venv
COPY requirements.txt /tmp/
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca --mount=type=secret,id=pip \
    with-package-sources /venv/bin/pip install --quiet --no-compile -r /tmp/requirements.txt \
    && /venv/bin/pip uninstall --quiet --yes pip \
    && find /venv -name tests -type d -prune -exec rm -rf {} + \
    # Compiled here: a container cannot keep what it compiles, and would do it at every start.
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /venv

FROM ${API_IMAGE}
ARG RUN_PACKAGES=
# hadolint ignore=SC2086
RUN install-debian-packages ${RUN_PACKAGES}
COPY --from=packages /venv /venv
ARG DATA_DIR=/data
ENV PATH=/venv/bin:$PATH PYTHONPATH=/srv:/opt/phase4 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp DATA_DIR=${DATA_DIR}
WORKDIR /srv
COPY --chown=10001:10001 . .
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
