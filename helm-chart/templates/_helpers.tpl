{{/* Name of the release's objects. */}}
{{- define "todo-chatbot.fullname" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels of an object: call with (dict "root" $ "component" "backend"). */}}
{{- define "todo-chatbot.labels" -}}
{{ include "todo-chatbot.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* What selects pods: name, instance and component only, none of which ever changes. */}}
{{- define "todo-chatbot.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* An image reference; a tag that does not name contents is refused. Call with (dict "image" .. "what" ..). */}}
{{- define "todo-chatbot.image" -}}
{{- if not .image.tag }}{{ fail (printf "%s.image.tag must be set: `invoke deploy` does, or name the tag that you built" .what) }}{{ end -}}
{{- if eq .image.tag "latest" }}{{ fail (printf "%s.image.tag must name contents, and `latest` does not" .what) }}{{ end -}}
{{ .image.repository }}:{{ .image.tag }}
{{- end -}}

{{- define "todo-chatbot.secretName" -}}
{{ .Values.existingSecret | default (printf "%s-secret" (include "todo-chatbot.fullname" .)) }}
{{- end -}}

{{- define "todo-chatbot.configName" -}}
{{ include "todo-chatbot.fullname" . }}-config
{{- end -}}

{{/* A container's security context: no capability, no escalation, nothing written to the image. */}}
{{- define "todo-chatbot.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Address of the backend's probes. */}}
{{- define "todo-chatbot.readyPath" -}}
{{ .Values.backend.readyPath | default .Values.backend.healthPath }}
{{- end -}}

{{/* Who the backend's containers run as. */}}
{{- define "todo-chatbot.backendPodSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* What the backend reads from the Secret, and where it keeps its data. */}}
{{- define "todo-chatbot.backendEnvironment" -}}
{{- $secret := include "todo-chatbot.secretName" . -}}
- name: BETTER_AUTH_SECRET
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: BETTER_AUTH_SECRET}}
- name: OPENAI_API_KEY
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: OPENAI_API_KEY, optional: true}}
{{- if eq .Values.database.kind "file" }}
- {name: DATA_DIR, value: /data}
{{- else }}
- name: DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: DATABASE_URL}}
{{- end }}
{{- end -}}
