"""What every suite may start: the reference app as a process of its own."""

import sys

import pytest

from tests.reference_app import free_port, serve


@pytest.fixture(scope="session")
def start_app(tmp_path_factory):
    """Start the app on file storage with this environment: its address and its process."""
    processes = []

    def start(**environment):
        port = free_port()
        folder = tmp_path_factory.mktemp("data")
        defaults = {
            "DATA_DIR": str(folder),
            "BETTER_AUTH_SECRET": "s" * 48,
            "DATABASE_URL": "",
            "OPENAI_API_KEY": "",
        }
        argv = [
            sys.executable,
            "-m",
            "uvicorn",
            "app.main:app",
            "--port",
            str(port),
            "--no-access-log",
            "--timeout-graceful-shutdown",
            "20",
        ]
        process = serve(argv, port, "/health", {**defaults, **environment})
        processes.append(process)
        return f"http://127.0.0.1:{port}", process

    yield start
    for process in processes:
        process.terminate()
        process.wait(20)
        process.output.close()
