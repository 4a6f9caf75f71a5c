"""A collector of OpenTelemetry over real HTTP: decodes what it is sent, and keeps it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

DEADLINE = 60.0


def facts(attributes: Any) -> dict[str, Any]:
    """Return attributes as plain values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@dataclass(slots=True)
class Collected:
    """What came so far; `spans` and `metrics` are OTLP's own shapes."""

    url: str = ""
    spans: list[Any] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until what came is such that `holds`; call it beside the event loop."""
        deadline = time.monotonic() + DEADLINE
        with self.news:
            while not holds():
                assert self.news.wait(deadline - time.monotonic()), (self.spans, self.metrics)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        """Decode one request."""
        with self.news:
            self.headers.append({name.lower(): value for name, value in headers.items()})
            if path == "/v1/traces":
                for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                    self.resources.append(facts(group.resource.attributes))
                    self.spans += [span for scope in group.scope_spans for span in scope.spans]
            else:
                assert path == "/v1/metrics", path
                for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    self.resources.append(facts(group.resource.attributes))
                    for scope in group.scope_metrics:
                        self.metrics |= {metric.name: metric for metric in scope.metrics}
            self.news.notify_all()


@contextmanager
def collecting() -> Iterator[Collected]:
    """Run a collector on loopback while the block runs."""
    collected = Collected()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collected.take(self.path, dict(self.headers), body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collected.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collected
        finally:
            server.shutdown()
            thread.join()
