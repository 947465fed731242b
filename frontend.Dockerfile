# A Next.js app behind nginx on port 80: a static export as plain files, any other with Next's own
# server behind it. The programs and the web server's configuration are in scripts/images/web.
#   docker build -f frontend.Dockerfile --tag todo-chatbot-frontend .
#   docker run -p 8080:80 -e NEXT_PUBLIC_API_URL=http://localhost:8001 todo-chatbot-frontend
ARG NODE_IMAGE=node:22.20.0-bookworm-slim
ARG NGINX_IMAGE=nginx:1.28.0
# export: files. server: Next's server.
ARG SERVED=export

FROM ${NODE_IMAGE} AS source
# Compilers, where a package has no ready-made program for this system.
ARG BUILD_PACKAGES=
# hadolint ignore=DL3008,SC2086
RUN [ -z "${BUILD_PACKAGES}" ] || { apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ${BUILD_PACKAGES} \
    && rm -rf /var/lib/apt/lists/*; }
ENV NEXT_TELEMETRY_DISABLED=1
COPY scripts/images/web/build/ /usr/local/lib/web/
# In the context: the app's files, and of these what its packages are installed from.
ARG SOURCE=phase3-chatbot/frontend
ARG MANIFESTS=phase3-chatbot/frontend/package*.json
# Below SOURCE: the frontend, and where its packages are installed (a workspace's root).
ARG FOLDER=.
ARG WORKSPACE=.
WORKDIR /app
COPY ${MANIFESTS} ./
ARG BEFORE=
RUN --mount=type=cache,target=/root/.npm --mount=type=secret,id=ca --mount=type=secret,id=npm \
    /usr/local/lib/web/install-packages "${WORKSPACE}"
COPY ${SOURCE}/ ./
WORKDIR /app/${FOLDER}

FROM source AS build
# For pages that are made in advance; what runs in the browser gets the ConfigMap's value.
ARG NEXT_PUBLIC_API_URL=/api
ENV NEXT_PUBLIC_API_URL=${NEXT_PUBLIC_API_URL}
ARG FOLDER
ARG SERVED
ARG ADDRESSES=
RUN --mount=type=cache,target=/cache/next --mount=type=cache,target=/root/.npm \
    --mount=type=secret,id=ca --mount=type=secret,id=npm \
    /usr/local/lib/web/build-site

FROM ${NGINX_IMAGE} AS web
COPY scripts/images/web/serve/serve scripts/images/web/serve/write-config /usr/local/bin/
COPY scripts/images/web/serve/nginx.conf scripts/images/web/serve/forward-headers.conf \
     scripts/images/web/serve/json-errors.sed /etc/nginx/
RUN rm -rf /usr/share/nginx/html \
    && useradd --no-log-init --uid 10101 --no-create-home --home-dir /tmp web

FROM web AS export
COPY scripts/images/web/serve/site-export.conf /etc/nginx/site.conf
COPY --from=build /site/html /usr/share/nginx/html

FROM web AS server
COPY scripts/images/web/serve/site-server.conf /etc/nginx/site.conf
COPY --from=build /site/node-program /usr/local/bin/node
COPY --from=build /site/node /srv/node
COPY --from=build /site/folder /site/command /site/public.env /srv/
COPY --from=build /site/tables.sql /site/*-tables.cj[s] /srv/

FROM ${SERVED}
COPY --from=build /site/addresses /etc/nginx/
USER 10101
EXPOSE 80
STOPSIGNAL SIGQUIT
ENTRYPOINT []
CMD ["/usr/local/bin/serve"]
