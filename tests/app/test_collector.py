"""Where numbers and spans are told: nowhere, until a collector is set."""

import sys

import pytest

from interlock.app.collector import open_collector
from interlock.errors import BadInput
from interlock.settings import TelemetrySettings


def test_nothing_is_told_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")

    assert open_collector(TelemetrySettings(), 0) is None


def test_a_collector_that_is_set_without_its_package_names_the_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # An entry of None makes Python say that there is no such module.
    monkeypatch.delitem(sys.modules, "interlock.telemetry.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    settings = TelemetrySettings(otlp_endpoint="http://127.0.0.1:4318")

    with pytest.raises(BadInput) as refusal:
        open_collector(settings, 0)

    assert "INTERLOCK_TELEMETRY__OTLP_ENDPOINT" in refusal.value.message
    assert "install interlock-mcp[otel]" in refusal.value.message
