"""Where tools and images come from: PATH, the cache, a download, or package registries.

May import: session, machine.
Gives: tools.clients and minikube, bases.ensure (base images), and node.py (the node
image, Kubernetes' programs and the add-ons of a cluster that is built from package registries);
stock.wanted (all of that by name), bundle (all of it as one file), prune (what may go).
"""
