"""Everything that a deployment does, in eight rooms; docs/architecture.md has their picture.

Nothing here imports invoke or tasks.py.
"""

import os
import sys
from pathlib import Path

if sys.dont_write_bytecode:
    # The person wants no compiled files beside the source. Compiling at each start costs 0.15 s,
    # so the compiled files are kept in the cache.
    sys.pycache_prefix = str(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "phase4" / "python"
    )
    sys.dont_write_bytecode = False
