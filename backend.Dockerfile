# A FastAPI app under uvicorn on port 8001. Context: the app's folder, which holds requirements.txt and app/.
#   docker build -f backend.Dockerfile --tag todo-chatbot-backend phase3-chatbot
#   docker run -p 8001:8001 todo-chatbot-backend
ARG PYTHON_IMAGE=python:3.13.9-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PYTHONDONTWRITEBYTECODE=1
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
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DATA_DIR=/data
COPY --from=build /venv /venv
RUN mkdir /data && chown 10001:10001 /data
WORKDIR /srv
COPY . .
RUN python3 -m compileall -q .
ARG APP_MODULE=app.main:app
ENV APP_MODULE=${APP_MODULE}
USER 10001
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8001/health', timeout=2)"]
# exec: uvicorn is process 1 and hears the signal to stop. Forwarded headers come from the ingress, the only way in.
CMD ["sh", "-c", "exec uvicorn \"$APP_MODULE\" --host 0.0.0.0 --port 8001 --no-access-log --proxy-headers --forwarded-allow-ips='*' --timeout-graceful-shutdown 20"]
