"""Families as Prometheus reads them, and what prometheus_client knows of the process itself."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from interlock.telemetry.families import Distribution, Family, Kind


def exposition(families: Sequence[Family], accept: str) -> tuple[bytes, str]:
    """Return `families` in the format that an `Accept` header asks for, and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Shown(families))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class ProcessFamilies:
    """The numbers of this process: memory, processor time, descriptors, garbage collections."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def families(self) -> Iterator[Family]:
        """Yield them as they are now."""
        for metric in self._registry.collect():
            kind: Kind = "counter" if metric.type == "counter" else "gauge"
            name = f"{metric.name}_total" if kind == "counter" else metric.name
            samples = [each for each in metric.samples if each.name == name]
            labels = tuple(samples[0].labels) if samples else ()
            points = tuple(
                (tuple(each.labels[label] for label in labels), each.value) for each in samples
            )
            yield Family(name, kind, metric.documentation, labels, points)


class _Shown(Collector):
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return map(_metric, self._families)


def _metric(family: Family) -> Metric:
    name = family.name.removesuffix("_total") if family.kind == "counter" else family.name
    metric = Metric(name, family.help, family.kind)
    for values, number in family.points:
        labels = dict(zip(family.labels, values, strict=True))
        if isinstance(number, Distribution):
            _add(metric, labels, number)
        else:
            metric.add_sample(family.name, labels, number)
    return metric


def _add(metric: Metric, labels: dict[str, str], found: Distribution) -> None:
    bounds = (*map(str, found.bounds), "+Inf")
    for bound, count in zip(bounds, accumulate(found.counts), strict=True):
        metric.add_sample(f"{metric.name}_bucket", {**labels, "le": bound}, count)
    metric.add_sample(f"{metric.name}_count", labels, sum(found.counts))
    metric.add_sample(f"{metric.name}_sum", labels, found.total)
