{{/* Name of the release's objects. */}}
{{- define "todo-chatbot.fullname" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Name, labels and annotations of an object: call with (dict "root" $ "component" "backend" "name" "x-backend" "annotations" (dict)). */}}
{{- define "todo-chatbot.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "todo-chatbot.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Labels of an object: call with (dict "root" $ "component" "backend"). */}}
{{- define "todo-chatbot.labels" -}}
{{ include "todo-chatbot.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What selects pods: name, instance and component only, none of which ever changes. */}}
{{- define "todo-chatbot.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels and annotations of pods: call with (dict "root" $ "component" "backend" "values" .Values.backend "annotations" (dict)). */}}
{{- define "todo-chatbot.podMetadata" -}}
labels: {{- include "todo-chatbot.labels" . | nindent 2 }}
  {{- with .values.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- with merge (dict) (.annotations | default dict) .values.podAnnotations .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What all pods share: who they run as, and where. Call with (dict "root" $ "component" "backend" "values" .Values.backend "user" 10001). */}}
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
affinity:
  {{- with .values.affinity }}{{ toYaml . | nindent 2 }}{{ else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "todo-chatbot.selector" . | nindent 14 }}
  {{- end }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml . | nindent 2 }}
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

{{/* A container's security context: no capability, no escalation, nothing written to the image. */}}
{{- define "todo-chatbot.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
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

{{/* An image reference; a tag that does not name contents is refused. Call with (dict "root" $ "image" .. "what" ..). */}}
{{- define "todo-chatbot.image" -}}
{{- if not .image.tag }}{{ fail (printf "%s.image.tag must be set: `invoke deploy` does, or name the tag that you built" .what) }}{{ end -}}
{{- if eq .image.tag "latest" }}{{ fail (printf "%s.image.tag must name contents, and `latest` does not" .what) }}{{ end -}}
{{- with .root.Values.global.imageRegistry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{ .image.repository }}:{{ .image.tag }}
{{- end -}}

{{- define "todo-chatbot.secretName" -}}
{{ .Values.existingSecret | default (printf "%s-secret" (include "todo-chatbot.fullname" .)) }}
{{- end -}}

{{- define "todo-chatbot.configName" -}}
{{ include "todo-chatbot.fullname" . }}-config
{{- end -}}

{{/* What a probe of the backend does: ask a path, or only connect where there is none. Call with the path. */}}
{{- define "todo-chatbot.probe" -}}
{{- if . }}httpGet: {path: {{ . }}, port: http}{{ else }}tcpSocket: {port: http}{{ end -}}
{{- end -}}

{{/* Whether the backend keeps files: its database, or others. */}}
{{- define "todo-chatbot.keepsFiles" -}}
{{- if or (eq .Values.database.kind "file") .Values.storage.files }}true{{ end -}}
{{- end -}}

{{/* Address of the readiness probe. */}}
{{- define "todo-chatbot.readyPath" -}}
{{ .Values.backend.readyPath | default .Values.backend.healthPath }}
{{- end -}}

{{/* What the backend reads from the Secret, and where it keeps its data. */}}
{{- define "todo-chatbot.backendEnvironment" -}}
{{- $secret := include "todo-chatbot.secretName" . -}}
- name: BETTER_AUTH_SECRET
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ .Values.secretKeys.authSecret }}}}
- name: OPENAI_API_KEY
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ .Values.secretKeys.openaiApiKey }}, optional: true}}
{{- if eq .Values.database.kind "file" }}
- {name: DATA_DIR, value: {{ printf "/data/%s" .Values.storage.folder | trimSuffix "/" }}}
{{- else }}
- name: DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ .Values.secretKeys.databaseUrl }}}}
{{- end }}
{{- with .Values.backend.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The ingress class and its controller, as YAML: what the values say, else what the cluster has. */}}
{{- define "todo-chatbot.ingressClass" -}}
{{- $given := .Values.ingress.className -}}
{{- $classes := (lookup "networking.k8s.io/v1" "IngressClass" "" "").items | default list -}}
{{- $names := list -}}
{{- $found := dict -}}
{{- range $classes -}}
  {{- $names = append $names .metadata.name -}}
  {{- $default := eq (get (.metadata.annotations | default dict) "ingressclass.kubernetes.io/is-default-class") "true" -}}
  {{- if or (eq .metadata.name $given) (and (not $given) (or $default (not $found))) -}}{{- $found = . -}}{{- end -}}
{{- end -}}
{{- if and $given $classes (not $found) -}}
{{- fail (printf "ingress.className: there is no ingress class %q on this cluster, only %s" $given (join ", " $names)) -}}
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
