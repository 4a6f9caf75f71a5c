"""What a worker is told by the keeper."""

from pathlib import Path

from interlock.app.workers import read, written
from interlock.protocol.json import dumps, loads
from interlock.settings import Settings


def test_a_worker_is_told_every_setting_secrets_too(tmp_path: Path) -> None:
    telemetry = {"otlp_endpoint": "http://127.0.0.1:4318", "otlp_headers": "key=value"}
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "master_key": "bWFzdGVy", "telemetry": telemetry}
    )

    assert read(loads(dumps(written(3, settings)))) == (3, settings)


def test_the_first_key_is_made_by_the_keeper_alone(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "bootstrap_key": "x" * 20})

    assert read(written(1, settings))[1].bootstrap_key is None
