"""Start the app under uvicorn, as process 1, so that it hears the signal to stop."""

import inspect
from typing import Any

import uvicorn

from phase4 import trust, volume

OPTIONS: dict[str, Any] = {
    "host": "0.0.0.0",
    "port": 8001,
    "access_log": False,
    # Forwarded headers come from the ingress, which is the only way in.
    "proxy_headers": True,
    "forwarded_allow_ips": "*",
    "timeout_graceful_shutdown": 20,
}


def main() -> None:
    """Serve until the signal to stop. Old releases of uvicorn do not know every option."""
    volume.fill()
    trust.add()
    known = inspect.signature(uvicorn.run).parameters
    uvicorn.run("phase4.asgi:app", **{name: OPTIONS[name] for name in OPTIONS if name in known})


if __name__ == "__main__":
    main()
