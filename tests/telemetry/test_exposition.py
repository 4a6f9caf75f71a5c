"""Numbers as Prometheus's own parsers read them."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain

from interlock.telemetry.exposition import ProcessFamilies, exposition
from interlock.telemetry.families import Distribution, Family

ODD = 'a"b\\c\nd'
FAMILIES = [
    Family("interlock_calls_total", "counter", "Calls.", ("tool",), (((ODD,), 3.0),)),
    Family("interlock_server_up", "gauge", "Up.", ("server",), ((("well",), 1.0),)),
    Family(
        "interlock_call_seconds",
        "histogram",
        "Times.",
        ("tool",),
        ((("x",), Distribution((0.1, 1.0), (1, 0, 2), 9.5)),),
    ),
]
TEXT = ("text/plain", "text/plain;")
OPEN = ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text;")


@pytest.mark.parametrize(("accept", "content_type"), [TEXT, OPEN, ("", TEXT[1])])
def test_every_number_is_read_back_in_the_format_that_was_asked_for(
    accept: str, content_type: str
) -> None:
    body, said = exposition(FAMILIES, accept)

    assert said.startswith(content_type)
    parse = open_metrics if content_type == OPEN[1] else plain
    samples = {
        (each.name, *(each.labels[name] for name in sorted(each.labels))): each.value
        for family in parse(body.decode())
        for each in family.samples
    }
    assert samples == {
        ("interlock_calls_total", ODD): 3.0,
        ("interlock_server_up", "well"): 1.0,
        ("interlock_call_seconds_bucket", "0.1", "x"): 1.0,
        ("interlock_call_seconds_bucket", "1.0", "x"): 1.0,
        ("interlock_call_seconds_bucket", "+Inf", "x"): 3.0,
        ("interlock_call_seconds_count", "x"): 3.0,
        ("interlock_call_seconds_sum", "x"): 9.5,
    }


def test_the_process_tells_its_memory_time_and_collections() -> None:
    found = {each.name: each for each in ProcessFamilies().families()}

    assert found["process_resident_memory_bytes"].kind == "gauge"
    (((), resident),) = found["process_resident_memory_bytes"].points
    assert isinstance(resident, float)
    assert resident > 1024 * 1024
    assert found["process_cpu_seconds_total"].kind == "counter"
    assert found["python_gc_collections_total"].labels == ("generation",)
    assert len(found["python_gc_collections_total"].points) == 3
