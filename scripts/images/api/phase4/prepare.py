"""Make the app's folder ready while its image is built. Arguments: paths that lead to DATA_DIR."""

import compileall
import os
import sys
from pathlib import Path

from phase4 import volume

if __name__ == "__main__":
    volume.lead_out(sys.argv[1:], Path(os.environ["DATA_DIR"]))
    # A file that is no Python is the app's business: what imports it says so.
    compileall.compile_dir(".", quiet=2)
