# A Next.js static export behind nginx on port 80. Context: the app's frontend folder.
#   docker build -f frontend.Dockerfile --tag todo-chatbot-frontend phase3-chatbot/frontend
#   docker run -p 8080:80 -e NEXT_PUBLIC_API_URL=http://localhost:8001 todo-chatbot-frontend
ARG NODE_IMAGE=node:22.20.0-trixie-slim
ARG NGINX_IMAGE=nginx:1.28.0

FROM ${NODE_IMAGE} AS source
WORKDIR /app
ENV NEXT_TELEMETRY_DISABLED=1
COPY package.json package-lock.json* ./
# Where packages come from (a mirror, a private CA) is the builder's business: secrets, gone with the step.
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=secret,id=ca --mount=type=secret,id=npm \
    if [ -s /run/secrets/npm ]; then export NPM_CONFIG_USERCONFIG=/run/secrets/npm; fi; \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    if [ -f package-lock.json ]; then npm ci --no-fund --no-audit; else npm install --no-fund --no-audit; fi
COPY . .

FROM source AS build
# The export reads this at build time; pages that ask for it at run time get the ConfigMap's value instead.
ARG NEXT_PUBLIC_API_URL=/api
ENV NEXT_PUBLIC_API_URL=${NEXT_PUBLIC_API_URL}
RUN --mount=type=cache,target=/app/.next/cache node_modules/.bin/next build

FROM ${NGINX_IMAGE}
# `${...}` and `$uri` below are nginx's and the shell's own: nothing is filled in while building.
RUN printf '%s\n' \
      'pid /tmp/nginx.pid;' \
      'worker_processes 2;' \
      'error_log /dev/stderr warn;' \
      'events { worker_connections 1024; }' \
      'http {' \
      '  include /etc/nginx/mime.types;' \
      '  default_type application/octet-stream;' \
      '  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;' \
      '  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;' \
      '  log_format json escape=json '"'"'{"time":"$time_iso8601","level":"info","method":"$request_method","path":"$path","status":$status,"seconds":$request_time}'"'"';' \
      '  map $request_uri $path { ~^(?<before_query>[^?]*) $before_query; }' \
      '  map $http_user_agent $is_person { ~^kube-probe/ 0; default 1; }' \
      '  access_log /dev/stdout json if=$is_person;' \
      '  sendfile on; server_tokens off; gzip on; gzip_types text/css application/javascript image/svg+xml;' \
      '  server {' \
      '    listen 80;' \
      '    root /usr/share/nginx/html;' \
      '    absolute_redirect off;' \
      '    error_page 404 /404.html;' \
      '    add_header X-Content-Type-Options nosniff always;' \
      '    add_header X-Frame-Options DENY always;' \
      '    add_header Referrer-Policy same-origin always;' \
      '    location / { try_files $uri $uri.html $uri/index.html =404; add_header Cache-Control no-cache always; }' \
      '    location ~ ^(?<page>/.+)/$ { return 308 $page$is_args$args; }' \
      '    location /_next/static/ { expires 1y; add_header Cache-Control "public, immutable"; }' \
      '    location = /config.js { alias /tmp/config.js; default_type application/javascript; add_header Cache-Control no-store always; }' \
      '  }' \
      '}' > /etc/nginx/nginx.conf \
    # Only what an address can hold gets into the script: the value comes from outside.
    && printf '%s\n' \
      '#!/bin/sh' \
      'set -eu' \
      'address=$(printf %s "${NEXT_PUBLIC_API_URL:-/api}" | tr -cd "A-Za-z0-9:/._~%?=&@+-")' \
      'printf '"'"'window.__CONFIG__ = { NEXT_PUBLIC_API_URL: "%s" };\n'"'"' "$address" > /tmp/config.js' \
      '# nginx writes its errors as text: each line becomes a JSON object on the way out.' \
      'rm -f /tmp/errors && mkfifo /tmp/errors' \
      'sed -u -e "s/\\\\/\\\\\\\\/g; s/\"/\\\\\"/g; s/[[:cntrl:]]//g" -e "/\[\(emerg\|alert\|crit\|error\)\]/{s/.*/{\"level\":\"error\",\"message\":\"&\"}/;b" -e "}" -e "s/.*/{\"level\":\"warning\",\"message\":\"&\"}/" < /tmp/errors >&2 &' \
      'exec nginx -g "daemon off;" 2> /tmp/errors' > /usr/local/bin/serve \
    && chmod 755 /usr/local/bin/serve \
    && rm -rf /usr/share/nginx/html
COPY --from=build /app/out /usr/share/nginx/html
USER 10101
EXPOSE 80
STOPSIGNAL SIGQUIT
ENTRYPOINT []
CMD ["/usr/local/bin/serve"]
