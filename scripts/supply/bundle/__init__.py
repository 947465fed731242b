"""A bundle: all that was made of packages, as one file that other machines take instead.

form is the file, part what is compressed in it, about what it says of itself. export writes one,
fetch brings one here, take checks it and puts everything where the cache and the engine look.
"""
