// Every program of a cluster, in one module: see ../golang.py.
module supply

go 1.26.4

require (
	github.com/cloudnativelabs/kube-router/v2 v2.1.0
	github.com/coredns/coredns v1.13.1
	github.com/go-acme/lego/v4 v4.33.0
	github.com/google/go-containerregistry v0.20.7
	github.com/rancher/local-path-provisioner v0.0.30
	github.com/traefik/traefik/v3 v3.6.12
	go.etcd.io/etcd/server/v3 v3.6.6
	k8s.io/kubernetes v1.35.1
	k8s.io/minikube v1.38.1
	sigs.k8s.io/cri-tools v1.34.0
	sigs.k8s.io/metrics-server v0.9.0
)

replace (
	// k3s's own line of it: the newest that the proxy has.
	github.com/cloudnativelabs/kube-router/v2 => github.com/k3s-io/kube-router/v2 v2.2.1
	// Traefik asks for these three forks in its own go.mod; only the main module's replacements count.
	github.com/abbot/go-http-auth => github.com/containous/go-http-auth v0.4.1-0.20200324110947-a37a7636d23e
	github.com/gorilla/mux => github.com/containous/mux v0.0.0-20250523120546-41b6ec3aed59
	github.com/mailgun/minheap => github.com/containous/minheap v0.0.0-20190809180810-6e71eb837595
	// What Kubernetes 1.35.1 was released with: later ones changed a type under the kubelet.
	github.com/opencontainers/cgroups => github.com/opencontainers/cgroups v0.0.3
	// The parts of Kubernetes, at its own version: k8s.io/kubernetes requires them at v0.0.0.
	k8s.io/api => k8s.io/api v0.35.1
	k8s.io/apiextensions-apiserver => k8s.io/apiextensions-apiserver v0.35.1
	k8s.io/apimachinery => k8s.io/apimachinery v0.35.1
	k8s.io/apiserver => k8s.io/apiserver v0.35.1
	k8s.io/cli-runtime => k8s.io/cli-runtime v0.35.1
	k8s.io/client-go => k8s.io/client-go v0.35.1
	k8s.io/cloud-provider => k8s.io/cloud-provider v0.35.1
	k8s.io/cluster-bootstrap => k8s.io/cluster-bootstrap v0.35.1
	k8s.io/component-base => k8s.io/component-base v0.35.1
	k8s.io/component-helpers => k8s.io/component-helpers v0.35.1
	k8s.io/controller-manager => k8s.io/controller-manager v0.35.1
	k8s.io/cri-api => k8s.io/cri-api v0.35.1
	k8s.io/cri-client => k8s.io/cri-client v0.35.1
	k8s.io/csi-translation-lib => k8s.io/csi-translation-lib v0.35.1
	k8s.io/dynamic-resource-allocation => k8s.io/dynamic-resource-allocation v0.35.1
	k8s.io/endpointslice => k8s.io/endpointslice v0.35.1
	k8s.io/externaljwt => k8s.io/externaljwt v0.35.1
	k8s.io/kms => k8s.io/kms v0.35.1
	k8s.io/kube-aggregator => k8s.io/kube-aggregator v0.35.1
	k8s.io/kube-controller-manager => k8s.io/kube-controller-manager v0.35.1
	k8s.io/kube-proxy => k8s.io/kube-proxy v0.35.1
	k8s.io/kube-scheduler => k8s.io/kube-scheduler v0.35.1
	k8s.io/kubectl => k8s.io/kubectl v0.35.1
	k8s.io/kubelet => k8s.io/kubelet v0.35.1
	k8s.io/metrics => k8s.io/metrics v0.35.1
	k8s.io/mount-utils => k8s.io/mount-utils v0.35.1
	k8s.io/pod-security-admission => k8s.io/pod-security-admission v0.35.1
)
