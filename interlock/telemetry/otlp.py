"""Spans and numbers on their way to an OpenTelemetry collector, by OTLP over HTTP.

The SDK comes with the optional extra `otel`: import this module only where a collector is set.
Standard `OTEL_*` variables count where a setting of ours does not say otherwise.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from interlock.errors import BadInput
from interlock.settings import TelemetrySettings
from interlock.telemetry.families import Distribution, Family
from interlock.telemetry.logs import get_logger
from interlock.telemetry.spans import Attributes, TraceContext

SCOPE: Final = "interlock"
DEFAULT_INTERVAL: Final = 60_000  # milliseconds between two exports of numbers
CLOSE_DEADLINE: Final = 5.0  # seconds for what waits at the end
EXPORT_TIMEOUT: Final = 5.0  # seconds, where no OTEL_EXPORTER_OTLP_*TIMEOUT says otherwise
_UNITS: Final = {"_seconds": "s", "_bytes": "By"}
# The semantic conventions have a name for one of our numbers, and for some of its labels.
_DURATION: Final = ("interlock_call_seconds", "mcp.server.operation.duration")
_ATTRIBUTES: Final = {
    "method": "mcp.method.name",
    "tool": "gen_ai.tool.name",
    "project": "interlock.project",
    "server": "interlock.server",
}
_PROPAGATOR: Final = TraceContextTextMapPropagator()

log = get_logger(__name__)


class OTLP:
    """Tells one collector of the spans and numbers of this process; `close` it at the end.

    `process` is this process's number among those of the gateway. Raises BadInput for headers that
    cannot be read.
    """

    def __init__(self, settings: TelemetrySettings, *, version: str, process: int) -> None:
        endpoint = (settings.otlp_endpoint or "").rstrip("/")
        headers = read_headers(settings)
        timeout = None if _is_set("OTEL_EXPORTER_OTLP", "TIMEOUT") else EXPORT_TIMEOUT
        self._resource = _resource(settings.service_name, version, process)
        self._provider = TracerProvider(
            sampler=_sampler(settings.sample_ratio), resource=self._resource, shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", headers=headers, timeout=timeout)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(SCOPE, version)
        # The SDK leaves some of its parameters without types.
        self._numbers: Any = OTLPMetricExporter(
            f"{endpoint}/v1/metrics", headers=headers, timeout=timeout
        )
        self._scope = InstrumentationScope(SCOPE, version)
        self._started = time.time_ns()

    def begin(self, parent: TraceContext | None, at: int) -> "SDKSpan":
        """Begin the span of a call that came in, under that of its client."""
        context = _PROPAGATOR.extract(dict(parent.headers)) if parent is not None else None
        # An empty name is replaced at the end, when it is known what was called.
        return SDKSpan(
            self._tracer,
            self._tracer.start_span("call", context, api.SpanKind.SERVER, start_time=at),
        )

    async def tell_numbers(self, families: Callable[[], Sequence[Family]]) -> None:
        """Export `families` now and then, until cancelled; then once more."""
        interval = int(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", DEFAULT_INTERVAL)) / 1000
        try:
            while True:
                await asyncio.sleep(interval)
                await _aside("OTLP numbers", partial(self._export, families()), interval)
        finally:
            await _aside("OTLP numbers", partial(self._export, families()), CLOSE_DEADLINE)

    def _export(self, families: Sequence[Family]) -> None:
        now = time.time_ns()
        metrics = [_metric(each, self._started, now) for each in families if each.points]
        scope = ScopeMetrics(self._scope, metrics, "")
        self._numbers.export(MetricsData([ResourceMetrics(self._resource, [scope], "")]))

    async def close(self) -> None:
        """Send the spans that wait, for a few seconds."""
        await _aside("OTLP end", self._end, CLOSE_DEADLINE)

    def _end(self) -> None:
        self._provider.shutdown()
        self._numbers.shutdown()


class SDKSpan:
    """A span of the SDK's; one that is not sampled goes nowhere, but has its context too."""

    def __init__(self, tracer: api.Tracer, span: api.Span) -> None:
        self._tracer = tracer
        self._span = span
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, api.set_span_in_context(span))
        trace_id = api.format_trace_id(span.get_span_context().trace_id)
        self.context = TraceContext(
            trace_id, carrier.get("traceparent", ""), carrier.get("tracestate", "")
        )

    def child(self, at: int) -> "SDKSpan":
        """Begin the span of what is asked of a server for this one."""
        context = api.set_span_in_context(self._span)
        return SDKSpan(
            self._tracer,
            self._tracer.start_span("call", context, api.SpanKind.CLIENT, start_time=at),
        )

    def end(self, at: int, name: str, attributes: Attributes, error: str | None) -> None:
        """End it; `error` is the kind of failure where it failed."""
        if self._span.is_recording():
            self._span.update_name(name)
            self._span.set_attributes(attributes)
            if error is not None:
                self._span.set_attribute("error.type", error)
                self._span.set_status(api.StatusCode.ERROR)
        self._span.end(at)


def read_headers(settings: TelemetrySettings) -> dict[str, str] | None:
    """Return the headers for the collector; None leaves them to the environment. Raises BadInput."""
    if settings.otlp_headers is None:
        return None
    headers: dict[str, str] = {}
    for pair in settings.otlp_headers.get_secret_value().split(","):
        name, is_pair, value = (part.strip() for part in pair.partition("="))
        if not name or not is_pair:
            raise BadInput(
                "INTERLOCK_TELEMETRY__OTLP_HEADERS is NAME=VALUE, several of them separated by "
                "commas; one of them has no name or no `=`."
            )
        headers[name.lower()] = value
    return headers


def _sampler(ratio: float | None) -> Sampler | None:
    # None lets the SDK read OTEL_TRACES_SAMPLER; a client's own decision goes before either.
    return ParentBased(TraceIdRatioBased(ratio)) if ratio is not None else None


def _resource(service: str | None, version: str, process: int) -> Resource:
    ours: dict[str, str] = {"service.version": version, "interlock.worker": str(process)}
    named = Resource.create(ours)
    if service is None and str(named.attributes["service.name"]).startswith("unknown_service"):
        service = SCOPE
    return named.merge(Resource({"service.name": service})) if service is not None else named


def _is_set(prefix: str, name: str) -> bool:
    return any(each.startswith(prefix) and each.endswith(name) for each in os.environ)


def _metric(family: Family, started: int, now: int) -> Metric:
    name, unit = _named(family.name)
    data: Sum | Gauge | Histogram
    numbers: list[NumberDataPoint] = []
    distributions: list[HistogramDataPoint] = []
    for values, value in family.points:
        pairs = zip(family.labels, values, strict=True)
        labels = {_ATTRIBUTES.get(label, label): text for label, text in pairs if text}
        if isinstance(value, Distribution):
            distributions.append(_distribution(labels, value, started, now))
        else:
            numbers.append(NumberDataPoint(labels, started, now, value))
    if family.kind == "histogram":
        data = Histogram(distributions, AggregationTemporality.CUMULATIVE)
    elif family.kind == "counter":
        data = Sum(numbers, AggregationTemporality.CUMULATIVE, is_monotonic=True)
    else:
        data = Gauge(numbers)
    return Metric(name, family.help, unit, data)


def _distribution(
    labels: dict[str, str], value: Distribution, started: int, now: int
) -> HistogramDataPoint:
    # What was smallest and largest is not kept; the encoder leaves out what is None.
    unknown: Any = None
    return HistogramDataPoint(
        labels,
        started,
        now,
        count=sum(value.counts),
        sum=value.total,
        bucket_counts=value.counts,
        explicit_bounds=value.bounds,
        min=unknown,
        max=unknown,
    )


def _named(name: str) -> tuple[str, str]:
    """Return a name without its unit and `_total`, which the collector adds again, and the unit."""
    if name == _DURATION[0]:
        return _DURATION[1], "s"
    plain = name.removesuffix("_total")
    for suffix, unit in _UNITS.items():
        if plain.endswith(suffix):
            return plain.removesuffix(suffix), unit
    return plain, ""


async def _aside(name: str, work: Callable[[], None], seconds: float) -> None:
    """Run what blocks in a thread of its own, which nothing waits for longer than `seconds`."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            work()
        except Exception:
            # A collector's troubles must not become ours, and the SDK may raise anything.
            log.exception("otlp.failed", work=name)
        finally:
            # The loop may be closed by now, as nothing waits for this thread any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            await done.wait()
    except TimeoutError:
        log.warning("otlp.late", work=name)
