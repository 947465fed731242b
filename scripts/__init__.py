"""The stages of a deployment, a module each. Nothing here imports invoke or tasks.py."""

import os
import sys
from pathlib import Path

if sys.dont_write_bytecode:
    # A wish that no files appear beside the source. Compiled anew at each start it costs 0.15 s, so it is kept where nobody is disturbed.
    sys.pycache_prefix = str(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "phase4" / "python"
    )
    sys.dont_write_bytecode = False
