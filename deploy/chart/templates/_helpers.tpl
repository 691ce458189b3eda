{{/* Name of the DaemonSet: nameOverride and fullnameOverride are the agent's, as in AWS's chart. */}}
{{- define "podid.agent.name" -}}
{{- .Values.fullnameOverride | default .Values.nameOverride | default "eks-pod-identity-agent" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "podid.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects the agent's pods; it can never change. */}}
{{- define "podid.agent.selector" -}}
app.kubernetes.io/name: eks-pod-identity-agent
{{- end -}}

{{- define "podid.agent.labels" -}}
helm.sh/chart: {{ include "podid.chart" . }}
{{ include "podid.agent.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: agent
app.kubernetes.io/part-of: podid
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "podid.operator.selector" -}}
app.kubernetes.io/name: podid-operator
{{- end -}}

{{- define "podid.operator.labels" -}}
helm.sh/chart: {{ include "podid.chart" . }}
{{ include "podid.operator.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: podid
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "podid.agent.image" -}}
{{- .Values.image.override | default (printf "%s/podid-agent:%s" .Values.image.containerRegistry (.Values.image.tag | default .Chart.AppVersion)) -}}
{{- end -}}

{{- define "podid.operator.image" -}}
{{- .Values.operator.image.override | default (printf "%s/podid-operator:%s" .Values.image.containerRegistry (.Values.image.tag | default .Chart.AppVersion)) -}}
{{- end -}}

{{/* additionalArgs: a flag and its value are two arguments, as in AWS's chart. */}}
{{- define "podid.args" -}}
{{- range $flag, $value := . }}
- {{ $flag | quote }}
{{- if ne (toString $value) "" }}
- {{ $value | toString | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A proxy never stands between a pod and its credentials, or inside of the cluster. */}}
{{- define "podid.proxy" -}}
{{- with .Values.proxy }}
{{- if or .httpsProxy .httpProxy }}
{{- with .httpsProxy }}
- {name: HTTPS_PROXY, value: {{ . | quote }}}
{{- end }}
{{- with .httpProxy }}
- {name: HTTP_PROXY, value: {{ . | quote }}}
{{- end }}
{{- $own := list "localhost" "127.0.0.1" "::1" "169.254.170.23" "fd00:ec2::23" ".svc" ".cluster.local" "$(KUBERNETES_SERVICE_HOST)" }}
{{- $given := list }}
{{- range splitList "," .noProxy }}{{ with trim . }}{{ $given = append $given . }}{{ end }}{{ end }}
- {name: NO_PROXY, value: {{ concat $given $own .serviceAddresses | uniq | join "," | quote }}}
{{- end }}
{{- end }}
{{- end -}}

{{/* Nothing here runs with more than this; what a container needs beyond is said where it is. */}}
{{- define "podid.securityContext" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "podid.region" -}}
{{- required "env.AWS_REGION is required: the region of the cluster in podid" .Values.env.AWS_REGION -}}
{{- end -}}
{{- define "podid.clusterName" -}}
{{- required "clusterName is required: the name of the cluster in podid" .Values.clusterName -}}
{{- end -}}
{{- define "podid.endpoint" -}}
{{- required "endpoint is required: the URL at which the cluster reaches podid" .Values.endpoint -}}
{{- end -}}
