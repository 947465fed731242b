# A Next.js app behind nginx on port 80: a static export as plain files, any other with Next's own server behind it. Context: the app's frontend folder.
#   docker build -f frontend.Dockerfile --tag todo-chatbot-frontend phase3-chatbot/frontend
#   docker run -p 8080:80 -e NEXT_PUBLIC_API_URL=http://localhost:8001 todo-chatbot-frontend
ARG NODE_IMAGE=node:22.20.0-trixie-slim
ARG NGINX_IMAGE=nginx:1.28.0
# export: files. server: Next's server.
ARG SERVED=export

FROM ${NODE_IMAGE} AS source
WORKDIR /app
ENV NEXT_TELEMETRY_DISABLED=1
ARG BEFORE=
COPY package.json package-lock.json* npm-shrinkwrap.json* pnpm-lock.yaml* yarn.lock* .npmrc* ./
# Where packages come from (a mirror, a private CA) is the builder's business: secrets, gone with the step. A lock file that does not fit
# is told, and what package.json says is taken.
# hadolint ignore=DL3016,SC2086
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=secret,id=ca --mount=type=secret,id=npm \
    if [ -s /run/secrets/npm ]; then export NPM_CONFIG_USERCONFIG=/run/secrets/npm; fi; \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    export NPM_CONFIG_FUND=false NPM_CONFIG_AUDIT=false; \
    told() { echo "phase4: $1 does not fit package.json, or cannot be used here: what package.json says is installed"; }; \
    loose() { npm install ${BEFORE:+--before=${BEFORE}} || { echo "phase4: packages disagree about their peers: installed all the same"; npm install --legacy-peer-deps; }; }; \
    if [ -f pnpm-lock.yaml ]; then \
      pnpm=pnpm@9.15.9; if grep -q "^lockfileVersion: '\?[56]" pnpm-lock.yaml; then pnpm=pnpm@8.15.9; fi; \
      npx --yes "$pnpm" install --frozen-lockfile || { told pnpm-lock.yaml; npx --yes "$pnpm" install --no-frozen-lockfile; }; \
    elif [ -f yarn.lock ] && ! grep -q __metadata yarn.lock; then \
      npx --yes yarn@1.22.22 install --frozen-lockfile || { told yarn.lock; loose; }; \
    elif [ -f package-lock.json ]; then npm ci || { told package-lock.json; rm -rf node_modules; loose; }; \
    else loose; fi
COPY . .

FROM source AS build
# A build argument for pages that are made in advance; what runs in the browser gets the ConfigMap's value (see `serve` below).
ARG NEXT_PUBLIC_API_URL=/api
ENV NEXT_PUBLIC_API_URL=${NEXT_PUBLIC_API_URL}
ARG SERVED
ARG BUILD_OPTIONS=
ARG FONTS=
ARG ADDRESSES=
# hadolint ignore=DL4006,SC2086
RUN --mount=type=cache,target=/app/.next/cache \
    # Node keeps what it compiles of Next, webpack and TypeScript, beside what they keep themselves.
    export NODE_COMPILE_CACHE=/app/.next/cache/node; \
    if [ -f phase4.env ]; then mv phase4.env .env.production.local; fi; \
    if [ -n "${FONTS}" ]; then export NEXT_FONT_GOOGLE_MOCKED_RESPONSES="${FONTS}"; fi; \
    if node -e 'process.exit(require("./package.json").scripts?.build ? 0 : 1)'; then npm run build -- ${BUILD_OPTIONS}; else node_modules/.bin/next build ${BUILD_OPTIONS}; fi \
    && rm -f .env.production.local \
    # What is served, and which addresses on this machine the browser's code holds: those that are known are led to where they are wanted.
    && mkdir /site && touch /site/addresses && bundle=out \
    && if [ "${SERVED}" = export ]; then rm -f out/config.js && cp -a out /site/html; else bundle=".next/static .next/server"; fi \
    && { grep -rhoE '(https?|wss?)://(localhost|127\.0\.0\.1|0\.0\.0\.0):[0-9]+' --include='*.js' --include='*.html' --include='*.json' --include='*.txt' --include='*.rsc' --include='*.body' ${bundle} || true; } \
      | sort -u > /tmp/found \
    && for one in ${ADDRESSES}; do if grep -qxF "${one}" /tmp/found || [ "${SERVED}" = server ]; then echo "${one}" >> /site/addresses; fi; done \
    && { grep -vxF -f /site/addresses /tmp/found || true; } | sed 's/^/phase4: the bundle names /'

FROM build AS node-server
ARG AUTH_TABLES=
# hadolint ignore=DL4006
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=secret,id=ca --mount=type=secret,id=npm \
    if [ -s /run/secrets/npm ]; then export NPM_CONFIG_USERCONFIG=/run/secrets/npm; fi; \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    set -e; server=$(find .next/standalone -name server.js -not -path '*/node_modules/*' 2>/dev/null | head -n 1); \
    if [ -n "${server}" ]; then \
      folder=$(dirname "${server}"); mkdir -p "${folder}/.next" && cp -a .next/static "${folder}/.next/static"; \
      if [ -d public ]; then cp -a public "${folder}/public"; fi; \
      cp -a .next/standalone /site/node; echo "/srv/node${folder#.next/standalone}" > /site/folder; echo "node server.js" > /site/command; \
    else \
      rm -rf .next/cache/*; cp -a . /site/node; echo /srv/node > /site/folder; echo "node node_modules/next/dist/bin/next start -H 127.0.0.1 -p 3000" > /site/command; \
    fi; \
    next="/site/node${folder#.next/standalone}/.next"; if [ -z "${server}" ]; then next=/site/node/.next; fi; \
    rm -rf "${next}/cache" && ln -s /tmp/next-cache "${next}/cache"; \
    if [ -n "${AUTH_TABLES}" ]; then \
      npm install --silent --no-audit --no-fund --prefix /tmp/esbuild esbuild@0.25.12 \
      && /tmp/esbuild/node_modules/.bin/esbuild "${AUTH_TABLES}" --bundle --platform=node --log-level=warning --external:pg-native --outfile=/site/auth-tables.cjs; \
    fi; \
    cp -L "$(command -v node)" /site/node-program

FROM ${NGINX_IMAGE} AS web
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
      '  map $http_x_forwarded_proto $scheme_outside { https https; default http; }' \
      '  map $http_x_forwarded_proto $socket_outside { https wss; default ws; }' \
      '  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }' \
      '  access_log /dev/stdout json if=$is_person;' \
      '  sendfile on; server_tokens off; gzip on; gzip_types text/css application/javascript image/svg+xml;' \
      '  server {' \
      '    listen 80;' \
      '    include /tmp/addresses.conf;' \
      '    include /etc/nginx/site.conf;' \
      '    location = /config.js { alias /tmp/config.js; default_type application/javascript; add_header Cache-Control no-store always; }' \
      '  }' \
      '  include /tmp/forward.conf;' \
      '}' > /etc/nginx/nginx.conf \
    && touch /etc/nginx/addresses \
    # Only what an address can hold gets into the script: the value comes from outside.
    && printf '%s\n' \
      '#!/bin/bash' \
      'set -eu' \
      'address=$(printf %s "${NEXT_PUBLIC_API_URL:-/api}" | tr -cd "A-Za-z0-9:/._~%?=&@+-")' \
      'printf '"'"'window.__CONFIG__ = { NEXT_PUBLIC_API_URL: "%s" };\n'"'"' "$address" > /tmp/config.js' \
      '# Addresses on this machine that the app has in its code: in the browser they become the page'"'"'s own origin, 3000, or the API'"'"'s;' \
      '# in this container the API'"'"'s lead to the backend.' \
      ': > /tmp/addresses.conf; : > /tmp/forward.conf' \
      'while read -r one; do' \
      '  case "$one" in ws*) outside='"'"'$socket_outside://$http_host'"'"';; *) outside='"'"'$scheme_outside://$http_host'"'"';; esac' \
      '  case "$address" in /*) api=$outside$address;; *) api=$address;; esac' \
      '  case "$one" in *:3000) api=$outside;; esac' \
      '  echo "sub_filter '"'"'$one'"'"' '"'"'$api'"'"';" >> /tmp/addresses.conf' \
      '  port=${one##*:}' \
      '  if [ -n "${BACKEND_ADDRESS:-}" ] && [ "$port" != 3000 ] && ! grep -q "listen 127.0.0.1:$port;" /tmp/forward.conf; then' \
      '    echo "server { listen 127.0.0.1:$port; client_max_body_size 20m; location / { proxy_pass http://$BACKEND_ADDRESS; proxy_buffering off; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_read_timeout 300s; } }" >> /tmp/forward.conf' \
      '  fi' \
      'done < /etc/nginx/addresses' \
      'if [ -s /tmp/addresses.conf ]; then' \
      '  echo "sub_filter_once off; sub_filter_types text/css text/plain text/x-component text/javascript application/javascript application/json;" >> /tmp/addresses.conf' \
      'fi' \
      '# nginx writes its errors as text: each line becomes a JSON object on the way out.' \
      'rm -f /tmp/errors && mkfifo /tmp/errors' \
      'sed -u -e "s/\\\\/\\\\\\\\/g; s/\"/\\\\\"/g; s/[[:cntrl:]]//g" -e "/\[\(emerg\|alert\|crit\|error\)\]/{s/.*/{\"level\":\"error\",\"message\":\"&\"}/;b" -e "}" -e "s/.*/{\"level\":\"warning\",\"message\":\"&\"}/" < /tmp/errors >&2 &' \
      'if [ ! -d /srv/node ]; then exec nginx -g "daemon off;" 2> /tmp/errors; fi' \
      'if [ -f /srv/auth-tables.cjs ] && [ -n "${AUTH_TABLES:-}" ]; then /usr/local/bin/node /srv/auth-tables.cjs; fi' \
      '# Next'"'"'s server and nginx end together.' \
      'mkdir -p /tmp/next-cache; cd "$(cat /srv/folder)"' \
      'HOSTNAME=127.0.0.1 PORT=3000 $(cat /srv/command) & server=$!' \
      'until (: < /dev/tcp/127.0.0.1/3000) 2> /dev/null || ! kill -0 $server 2> /dev/null; do sleep 0.1; done' \
      'nginx -g "daemon off;" 2> /tmp/errors & web=$!' \
      'trap '"'"'kill -QUIT $web; kill -TERM $server'"'"' TERM QUIT INT' \
      'code=0; wait $server || code=$?' \
      'kill -QUIT $web; exit $code' > /usr/local/bin/serve \
    && chmod 755 /usr/local/bin/serve \
    && rm -rf /usr/share/nginx/html

FROM web AS export
RUN printf '%s\n' \
      'root /usr/share/nginx/html;' \
      'absolute_redirect off;' \
      'error_page 404 /404.html;' \
      'add_header X-Content-Type-Options nosniff always;' \
      'add_header X-Frame-Options DENY always;' \
      'add_header Referrer-Policy same-origin always;' \
      'location / { try_files $uri $uri.html $uri/index.html =404; add_header Cache-Control no-cache always; }' \
      'location ~ ^(?<page>/.+)/$ { return 308 $page$is_args$args; }' \
      'location /_next/static/ { expires 1y; add_header Cache-Control "public, immutable"; }' > /etc/nginx/site.conf
COPY --from=build /site/addresses /etc/nginx/addresses
COPY --from=build /site/html /usr/share/nginx/html

FROM web AS server
RUN printf '%s\n' \
      'client_max_body_size 20m;' \
      'location / {' \
      '  proxy_pass http://127.0.0.1:3000;' \
      '  proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 300s;' \
      '  proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Proto $scheme_outside;' \
      '  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;' \
      '  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;' \
      '  proxy_set_header Accept-Encoding "";' \
      '}' > /etc/nginx/site.conf
COPY --from=node-server /site/node-program /usr/local/bin/node
COPY --from=node-server /site/addresses /etc/nginx/addresses
COPY --from=node-server /site/node /srv/node
COPY --from=node-server /site/folder /site/command /site/auth-tables.cj[s] /srv/

FROM ${SERVED}
USER 10101
EXPOSE 80
STOPSIGNAL SIGQUIT
ENTRYPOINT []
CMD ["/usr/local/bin/serve"]
