{{/* Name of the release's objects. */}}
{{- define "todo-chatbot.fullname" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of a component's objects: todo-app-backend. Call with (dict "root" $ "component" ..). */}}
{{- define "todo-chatbot.componentName" -}}
{{ include "todo-chatbot.fullname" .root }}-{{ .component }}
{{- end -}}

{{/*
Name, namespace, labels and annotations of an object.
Call with (dict "root" $ "component" "backend"); "name" and "annotations" may be added.
*/}}
{{- define "todo-chatbot.metadata" -}}
name: {{ .name | default (include "todo-chatbot.componentName" .) }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "todo-chatbot.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Labels of an object. "labels" may be added to the call; those that select pods stay. */}}
{{- define "todo-chatbot.labels" -}}
{{- $ours := dict
  "app.kubernetes.io/version" .root.Chart.AppVersion
  "app.kubernetes.io/managed-by" .root.Release.Service
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version) -}}
{{- $selector := include "todo-chatbot.selector" . | fromYaml -}}
{{- merge $selector (.labels | default dict) .root.Values.commonLabels $ours | toYaml -}}
{{- end -}}

{{/* What selects pods: name, instance and component only. None of them ever changes. */}}
{{- define "todo-chatbot.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/*
Labels and annotations of pods. The label `app` is for people, who type
`kubectl get pods -l app=todo-app-backend`. The pods roll when one of the checksums changes.
Call with (dict "root" $ "component" "backend" "values" .Values.backend "checksums" (dict)).
*/}}
{{- define "todo-chatbot.podMetadata" -}}
{{- $app := dict "app" (include "todo-chatbot.componentName" .) -}}
{{- $labels := merge (dict) (.values.podLabels | default dict) .root.Values.commonLabels $app -}}
labels: {{- include "todo-chatbot.labels" (merge (dict "labels" $labels) .) | nindent 2 }}
{{- $checksums := .checksums | default dict -}}
{{- $own := .values.podAnnotations | default dict -}}
{{- with merge (dict) $checksums $own .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
What all pods share: who they run as, and where.
Call with (dict "root" $ "component" "backend" "values" .Values.backend "user" 10001); "sysctls"
may be added.
*/}}
{{- define "todo-chatbot.pod" -}}
serviceAccountName: {{ include "todo-chatbot.serviceAccountName" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml . | nindent 2 }}
{{- else }}
{{- /* Of each revision the pods are spread by themselves: those of the old one are about to go, and
an anti-affinity to them would crowd the new ones together. */}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "todo-chatbot.selector" . | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
  {{- with .sysctls }}
  sysctls: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/*
A container's security context: no capability and no escalation. The image's files can be written
only where the component's values say so. Call with (dict "values" .Values.backend), or (dict).
*/}}
{{- define "todo-chatbot.containerSecurity" -}}
{{- $readOnly := true -}}
{{- if hasKey (.values | default dict) "readOnlyRootFilesystem" -}}
{{- $readOnly = .values.readOnlyRootFilesystem -}}
{{- end -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: {{ $readOnly }}
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "todo-chatbot.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "todo-chatbot.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/*
An image reference. Without a tag it is the chart's appVersion; `latest` is refused, because it
does not say what is in the image. Call with (dict "root" $ "image" .. "what" "backend").
*/}}
{{- define "todo-chatbot.image" -}}
{{- $tag := .image.tag | default .root.Chart.AppVersion -}}
{{- if eq $tag "latest" -}}
{{- fail (printf "%s.image.tag must name contents, and `latest` does not" .what) -}}
{{- end -}}
{{- with .root.Values.global.imageRegistry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{ .image.repository }}:{{ $tag }}
{{- end -}}

{{/* Image and pull policy of a container, as two lines of YAML. Call as "todo-chatbot.image". */}}
{{- define "todo-chatbot.containerImage" -}}
image: {{ include "todo-chatbot.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- end -}}

{{- define "todo-chatbot.secretName" -}}
{{ .Values.existingSecret | default (printf "%s-secret" (include "todo-chatbot.fullname" .)) }}
{{- end -}}

{{- define "todo-chatbot.configName" -}}
{{ include "todo-chatbot.fullname" . }}-config
{{- end -}}

{{/* The source of a variable: a key of the Secret. Call with (dict "root" $ "key" ..). */}}
{{- define "todo-chatbot.fromSecret" -}}
{{- $reference := dict "name" (include "todo-chatbot.secretName" .root) "key" .key -}}
{{- if .optional }}{{ $_ := set $reference "optional" true }}{{ end -}}
{{ dict "secretKeyRef" $reference | toJson }}
{{- end -}}

{{/* What a probe does: ask a path, or only connect where there is none. Call with the path. */}}
{{- define "todo-chatbot.probe" -}}
{{- if . }}httpGet: {path: {{ . }}, port: http}{{ else }}tcpSocket: {port: http}{{ end -}}
{{- end -}}

{{/* Not empty when the backend keeps files: its database, or others. */}}
{{- define "todo-chatbot.keepsFiles" -}}
{{- if or (eq .Values.database.kind "file") .Values.storage.files }}true{{ end -}}
{{- end -}}

{{/* Path of the backend's readiness probe. */}}
{{- define "todo-chatbot.readyPath" -}}
{{ .Values.backend.readyPath | default .Values.backend.healthPath }}
{{- end -}}

{{/* What the backend reads from the Secret, and where it keeps its data. */}}
{{- define "todo-chatbot.backendEnvironment" -}}
{{- $keys := .Values.secretKeys -}}
- name: BETTER_AUTH_SECRET
  valueFrom: {{ include "todo-chatbot.fromSecret" (dict "root" $ "key" $keys.authSecret) }}
- name: OPENAI_API_KEY
  {{- $key := dict "root" $ "key" $keys.openaiApiKey "optional" true }}
  valueFrom: {{ include "todo-chatbot.fromSecret" $key }}
{{- if eq .Values.database.kind "file" }}
- {name: DATA_DIR, value: /data}
{{- else }}
- name: DATABASE_URL
  valueFrom: {{ include "todo-chatbot.fromSecret" (dict "root" $ "key" $keys.databaseUrl) }}
{{- end }}
{{- include "todo-chatbot.databaseAuthority" . }}
{{- with .Values.backend.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Who signed the database's certificate, for what verifies it. Call with the root. */}}
{{- define "todo-chatbot.databaseAuthority" -}}
{{- if and (eq .Values.database.kind "postgres") .Values.postgres.tls }}
{{- $secret := printf "%s-postgres-certificate" (include "todo-chatbot.fullname" .) }}
- name: DATABASE_CA
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: ca.crt}}
{{- end }}
{{- end -}}

{{/*
The ingress class and its controller, as YAML: from the values, or else from the cluster. Without an
Ingress the cluster is not asked: not everybody may list its classes.
*/}}
{{- define "todo-chatbot.ingressClass" -}}
{{- $given := .Values.ingress.className -}}
{{- $classes := list -}}
{{- if .Values.ingress.enabled -}}
{{- $classes = (lookup "networking.k8s.io/v1" "IngressClass" "" "").items | default list -}}
{{- end -}}
{{- $names := list -}}
{{- $found := dict -}}
{{- range $classes -}}
  {{- $names = append $names .metadata.name -}}
  {{- $mark := "ingressclass.kubernetes.io/is-default-class" -}}
  {{- $default := eq (get (.metadata.annotations | default dict) $mark) "true" -}}
  {{- $wanted := or $default (not $found) -}}
  {{- if $given -}}{{- $wanted = eq .metadata.name $given -}}{{- end -}}
  {{- if $wanted -}}{{- $found = . -}}{{- end -}}
{{- end -}}
{{- if and $given $classes (not $found) -}}
{{- $there := join ", " $names -}}
{{- $words := printf "there is no ingress class %q on this cluster, only %s" $given $there -}}
{{- fail (printf "ingress.className: %s" $words) -}}
{{- end -}}
{{- $name := $given -}}
{{- if $found -}}{{- $name = $found.metadata.name -}}{{- end -}}
{{- $about := $name -}}
{{- if $found -}}{{- $about = $found.spec.controller -}}{{- end -}}
{{- $controller := .Values.ingress.controller -}}
{{- range list "traefik" "nginx" "haproxy" -}}
  {{- if and (not $controller) (contains . $about) -}}{{- $controller = . -}}{{- end -}}
{{- end -}}
name: {{ $name | quote }}
controller: {{ $controller | default "traefik" }}
{{- end -}}

{{/* Peers of a NetworkPolicy: pods of components. Call with (dict "root" $ "of" (list "app")). */}}
{{- define "todo-chatbot.peers" -}}
{{- $root := .root -}}
{{- range .of }}
{{- $component := dict "root" $root "component" . }}
- podSelector:
    matchLabels: {{- include "todo-chatbot.selector" $component | nindent 6 }}
{{- end }}
{{- end -}}

{{/*
The ports outside the cluster that a component may reach, as a rule of a NetworkPolicy. Port 5432
is added for a database of yours.
*/}}
{{- define "todo-chatbot.outside" -}}
{{- $ports := .Values.networkPolicy.egressPorts | default list -}}
{{- if eq .Values.database.kind "external" }}{{ $ports = append $ports 5432 | uniq }}{{ end -}}
{{- with $ports }}
- ports:
    {{- range . }}
    - {port: {{ . }}}
    {{- end }}
{{- end }}
{{- end -}}

{{/* All host names of the app, as a list in JSON. */}}
{{- define "todo-chatbot.hosts" -}}
{{- prepend (.Values.ingress.extraHosts | default list) .Values.ingress.host | uniq | toJson -}}
{{- end -}}

{{/*
The further components, as JSON: name -> its values over serviceDefaults, with the kind of probe
decided. Names that others of the release's objects have are refused.
*/}}
{{- define "todo-chatbot.services" -}}
{{- $taken := list "app" "backend" "deny" "dns" "frontend" "ingress" "postgres" "test" -}}
{{- $found := dict -}}
{{- range $name, $given := .Values.services -}}
  {{- if or (has $name $taken) (hasSuffix "-out" $name) -}}
  {{- fail (printf "services.%s: the release uses this name itself; choose another" $name) -}}
  {{- end -}}
  {{- $one := mergeOverwrite (deepCopy $.Values.serviceDefaults) $given -}}
  {{- $probe := ternary "tcp" "none" (gt (int $one.port) 0) -}}
  {{- if $one.healthPath }}{{ $probe = "http" }}{{ end -}}
  {{- $_ := set $one "probe" ($one.probe | default $probe) -}}
  {{- if and (ne $one.probe "none") (not $one.port) -}}
  {{- fail (printf "services.%s: probe %s needs a port" $name $one.probe) -}}
  {{- end -}}
  {{- if and $one.paths (not $one.port) -}}
  {{- fail (printf "services.%s: paths lead to it, but it has no port" $name) -}}
  {{- end -}}
  {{- if and $one.data.path (or $one.autoscaling.enabled (gt (int $one.replicas) 1)) -}}
  {{- $words := "replicas must be 1, without autoscaling, where data.path is set" -}}
  {{- fail (printf "services.%s: %s: one pod at a time may write to the volume" $name $words) -}}
  {{- end -}}
  {{- $_ := set $found $name $one -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* What a service of `services` reads. Call with (dict "root" $ "values" ..). */}}
{{- define "todo-chatbot.serviceEnvironment" -}}
{{- $root := .root -}}
{{- $needed := list $root.Values.secretKeys.authSecret $root.Values.secretKeys.databaseUrl -}}
{{- range $name, $value := .values.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- range $name, $key := .values.secretKeys }}
- name: {{ $name }}
  {{- $from := dict "root" $root "key" $key "optional" (not (has $key $needed)) }}
  valueFrom: {{ include "todo-chatbot.fromSecret" $from }}
{{- end }}
{{- include "todo-chatbot.databaseAuthority" $root }}
{{- with .values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where a service of `services` may write. Call with its values. */}}
{{- define "todo-chatbot.serviceMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .data.path }}
- {name: data, mountPath: {{ .data.path }}}
{{- end }}
{{- with .extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The probe of a service of `services`. Call with (dict "kind" "http" "path" ..). */}}
{{- define "todo-chatbot.serviceProbe" -}}
{{- if eq .kind "http" -}}
httpGet: {path: {{ .path | default "/" }}, port: main}
{{- else -}}
tcpSocket: {port: main}
{{- end -}}
{{- end -}}

{{/* What rolls the pods that read the Secret: its name, version and values. */}}
{{- define "todo-chatbot.secretChecksum" -}}
{{- $parts := list .Values.existingSecret .Values.existingSecretVersion -}}
{{- $parts = append $parts (toJson .Values.backend.secret) -}}
{{- concat $parts (list .Values.database.url .Values.postgres.password) | join " " | sha256sum -}}
{{- end -}}
