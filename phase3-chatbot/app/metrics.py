"""What Prometheus reads at /metrics. Routes are named by their pattern, so no id is a series."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.responses import Response

REQUESTS = Counter("http_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "http_request_duration_seconds",
    "Time from a request's arrival to the end of its answer",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ANSWERS = Counter("chat_answers_total", "Answers of the assistant", ["provider"])
TOOL_CALLS = Counter("chat_tool_calls_total", "Tools that the assistant called", ["tool", "result"])


def exposition() -> Response:
    """Return all series, as text."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
