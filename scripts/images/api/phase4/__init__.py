"""Programs of our own in the backend's image.

They need nothing but Python 3.11 and the app.

prepare makes the app's folder ready, serve starts the app, load imports it, asgi is the app below
its prefix, health asks whether it is well, volume keeps its files, wait waits for its database,
tables makes what that one lacks, again waits for tables of others, trust trusts its certificate.
"""
