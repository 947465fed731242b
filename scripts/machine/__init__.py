"""The person's own machine: is it fit, which Docker engine answers, which port is free.

May import: session.
Gives: preflight.check, engine.ensure, buildkit.build, ports.check_port_free.
"""
