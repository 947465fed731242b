// Network-policies enforces the cluster's NetworkPolicies on this node: kube-router's firewall without its routing and its service proxy,
// as k3s embeds it. Run it with the network namespace of the node; it drives iptables and ipset.
package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

func main() {
	config := options.NewKubeRouterConfig() // services at 10.96.0.0/12, as minikube has them
	config.RunFirewall, config.EnableIPv4 = true, true
	config.HostnameOverride = os.Getenv("NODE_NAME")

	stopping, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := enforce(config, stopping.Done()); err != nil {
		klog.Exitf("NetworkPolicies are not enforced: %v", err)
	}
}

// enforce keeps the node's packet filter as the policies say, until stop is closed. The rules stay when it ends: a restart opens nothing.
func enforce(config *options.KubeRouterConfig, stop <-chan struct{}) error {
	access, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return err
	}
	tables, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return err
	}
	for _, set := range sets {
		if err := set.Save(); err != nil { // a kernel without ip_set says so here
			return err
		}
	}

	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods().Informer(), factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	controller, err := netpol.NewNetworkPolicyController(client, config, pods, policies, namespaces, &sync.Mutex{}, tables, sets)
	if err != nil {
		return err
	}
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods: controller.PodEventHandler, namespaces: controller.NamespaceEventHandler, policies: controller.NetworkPolicyEventHandler,
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(stop)
	factory.WaitForCacheSync(stop)

	beats := make(chan *healthcheck.ControllerHeartbeat) // the controller blocks on it
	var running sync.WaitGroup
	running.Add(1)
	go controller.Run(beats, stop, &running)
	for {
		select {
		case <-beats:
		case <-stop:
			return nil
		}
	}
}
