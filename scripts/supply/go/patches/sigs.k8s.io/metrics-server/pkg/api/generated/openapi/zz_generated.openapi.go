// Package openapi describes the metrics API with the definitions that Kubernetes itself carries.
package openapi

import (
	kubernetes "k8s.io/kubernetes/pkg/generated/openapi"
	"k8s.io/kube-openapi/pkg/common"
)

// GetOpenAPIDefinitions returns Kubernetes' own definitions: metrics-server's generated ones are of a later release.
func GetOpenAPIDefinitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	return kubernetes.GetOpenAPIDefinitions(ref)
}
