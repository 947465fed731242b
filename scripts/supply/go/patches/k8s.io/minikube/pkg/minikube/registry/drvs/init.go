// Package drvs registers the one minikube driver that this project starts.
package drvs

import (
	_ "k8s.io/minikube/pkg/minikube/registry/drvs/docker" // --driver=docker
)
