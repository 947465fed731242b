"""Where tools and images come from.

Everything climbs the same ladder and stops at the first rung that holds:
already there and good enough > our cache > upstream's download > built from package registries.
"""
