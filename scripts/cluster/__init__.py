"""The Kubernetes cluster itself, without the app.

May import: session, machine, supply, images (to carry the add-ons' images into the node).
Gives: minikube.up, addons.furnish, facts.read, and kubectl.kubectl, which every question to the
cluster goes through.
"""
