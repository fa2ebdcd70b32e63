{{- define "operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* Short enough for the name of a shard and a suffix to follow. */}}
{{- define "operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "operator.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "operator.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "operator.userName" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "operator.serviceAccountName" . }}
{{- end }}

{{- define "operator.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- /* Secrets that classes take credentials from, as {"NAMESPACE": [NAME, ...]}. */}}
{{- define "operator.credentialSecrets" -}}
{{- $secrets := .Values.rbac.credentialSecrets }}
{{- if .Values.defaultClass.create }}
{{- with dig "cloud" "credentials" "secret" dict .Values.defaultClass.spec }}
{{- $secrets = append $secrets . }}
{{- end }}
{{- end }}
{{- $names := dict }}
{{- range $secrets }}
{{- $_ := set $names .namespace (append (get $names .namespace | default list) .name | uniq) }}
{{- end }}
{{- toJson $names }}
{{- end }}

{{- /* Namespaces whose Services may be written, as {"namespaces": [...]}. */}}
{{- define "operator.gatewayNamespaces" -}}
{{- $names := .Values.rbac.gatewayNamespaces }}
{{- if and .Values.defaultClass.create (not (has "*" $names)) }}
{{- range (dig "gateways" list .Values.defaultClass.spec) }}
{{- with dig "slb" "service" "namespace" "" . }}
{{- $names = append $names . }}
{{- end }}
{{- end }}
{{- end }}
{{- dict "namespaces" ($names | uniq | sortAlpha) | toJson }}
{{- end }}

{{- define "operator.secretRules" -}}
# Only metadata is watched; contents are read when a consumer or class needs them.
- apiGroups: [""]
  resources: [secrets]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch, delete]
{{- end }}

{{- define "operator.gatewayRules" -}}
- apiGroups: [""]
  resources: [services]
  verbs: [create, patch, delete]
# What the cloud controller manager says about them.
- apiGroups: [""]
  resources: [events]
  verbs: [list]
{{- end }}
