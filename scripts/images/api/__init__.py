"""The base image of every backend. The programs in it are the package `phase4`."""
