{{- define "wxgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "wxgate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "wxgate.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "wxgate.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "wxgate.selector" -}}
app.kubernetes.io/name: {{ include "wxgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "wxgate.labels" -}}
{{ include "wxgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* A value of TOML. What JSON writes for scalars and lists of them is TOML too; a table is one within its line. */}}
{{- define "wxgate.value" -}}
{{- if kindIs "map" . -}}
{{- $pairs := list -}}
{{- range $key := keys . | sortAlpha -}}
{{- $pairs = append $pairs (printf "%s = %s" $key (include "wxgate.value" (get $ $key))) -}}
{{- end -}}
{ {{ join ", " $pairs }} }
{{- else -}}
{{- toJson . -}}
{{- end -}}
{{- end -}}

{{- define "wxgate.table" -}}
{{- range $key := keys . | sortAlpha }}
{{ $key }} = {{ include "wxgate.value" (get $ $key) }}
{{- end }}
{{- end -}}

{{- define "wxgate.hosts" -}}
{{- $name := printf "%s.%s" (include "wxgate.fullname" .) .Release.Namespace -}}
{{- concat (list $name (printf "%s.svc" $name) (printf "%s.svc.cluster.local" $name)) .Values.extraHosts | toJson -}}
{{- end -}}

{{- define "wxgate.store" -}}
{{- if .Values.store.url -}}
{{- .Values.store | toJson -}}
{{- else if .Values.persistence.enabled -}}
{{- merge (dict "url" "file:/var/lib/wxgate/store") .Values.store | toJson -}}
{{- else -}}
{{- merge (dict "url" "memory:") .Values.store | toJson -}}
{{- end -}}
{{- end -}}

{{- define "wxgate.config" -}}
{{- if regexMatch `(?m)^\s*\[\s*(server|admin|replay|store)\s*[].]` .Values.config -}}
{{- fail "config: [server], [replay] and [store] are values, [admin] is the chart's: take them out of config" -}}
{{- end -}}
{{- $store := include "wxgate.store" . | fromJson -}}
{{- if and (gt (int .Values.replicas) 1) (not (hasPrefix "redis" $store.url)) -}}
{{- fail "replicas: more than one needs store.url of a Redis, so that all live on one token" -}}
{{- end -}}
{{- if .Values.accountFiles -}}
include = ["/etc/wxgate-apps/*.toml"]

{{ end -}}
[server]
listen = ["0.0.0.0:8080"]
hosts = {{ include "wxgate.hosts" . }}
{{- include "wxgate.table" (omit .Values.server "listen" "hosts") }}

[admin]
listen = "0.0.0.0:9090"
token = { file = "/run/secrets/admin-token" }

[replay]
{{- include "wxgate.table" .Values.replay }}

[store]
{{- include "wxgate.table" $store }}

{{ .Values.config }}
{{- end -}}
