"""The app's images: planned, built, tried alone, and carried into the node.

May import: session, machine, supply, app.
Gives: plans.plan, builds.build, trials.try_images, transport.load.
"""
