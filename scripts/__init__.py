"""The stages of a deployment, a module each. Nothing here imports invoke or tasks.py."""
