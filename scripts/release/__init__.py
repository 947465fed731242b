"""The app on the cluster: chart and values, Helm, secrets, rollout, database, address, dev loop.

May import: session, machine, supply, app, images, cluster.
Gives: validation.validate, installation.install and monitor, access.smoke, rollback.rollback,
dev.watch.
"""
