"""The person's own machine: whether it is fit, its Docker engine, its free ports.

May import: session.
Gives: preflight.check, engine.ensure, buildkit.build, ports.check_port_free.
"""
