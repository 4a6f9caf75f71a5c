"""Settings come from the environment and `.env`, and a wrong one is named with its cure."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from interlock.errors import BadInput
from interlock.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_defaults_listen_on_loopback_only() -> None:
    settings = load_settings()

    assert (settings.host, settings.port) == ("127.0.0.1", 20100)
    assert settings.address == "http://127.0.0.1:20100"


def test_how_often_a_caller_opens_sessions_is_limited_by_default_and_calls_are_not() -> None:
    gateway = load_settings().gateway

    assert (gateway.session_rate, gateway.session_burst) == (120, 60)
    assert (gateway.key_rate, gateway.project_rate) == (0, 0)


def test_the_environment_sets_fields_and_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_PORT", "20111")
    monkeypatch.setenv("INTERLOCK_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("INTERLOCK_GATEWAY__MAX_BODY", "2048")
    monkeypatch.setenv("INTERLOCK_ALLOWED_HOSTS", "gateway.example, tools.example")

    settings = load_settings()

    assert (settings.port, settings.log_level, settings.gateway.max_body) == (20111, "debug", 2048)
    assert settings.allowed_hosts == ("gateway.example", "tools.example")


def test_a_dotenv_file_counts_and_the_environment_wins(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / ".env").write_text("INTERLOCK_PORT=20112\nINTERLOCK_LOG_LEVEL=warning\n")
    monkeypatch.setenv("INTERLOCK_PORT", "20113")

    settings = load_settings()

    assert (settings.port, settings.log_level) == (20113, "warning")


def test_the_names_of_the_source_documents_are_understood(elsewhere: Path) -> None:
    (elsewhere / ".env").write_text("MCP_STATION_PORT=20114\nLOG_LEVEL=INFO\n")

    settings = load_settings()

    assert (settings.port, settings.log_level) == (20114, "info")


def test_flags_win_over_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_PORT", "20115")

    assert load_settings({"port": 20116, "host": None}).port == 20116


def test_an_unknown_name_fails_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_PROT", "20100")

    with pytest.raises(BadInput, match="INTERLOCK_PROT is not a setting"):
        load_settings()


def test_the_names_of_the_command_line_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INTERLOCK_KEY", "INTERLOCK_URL", "INTERLOCK_PROJECT", "INTERLOCK_DEBUG"):
        monkeypatch.setenv(name, "x")

    assert load_settings() == Settings()


def test_every_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_PORT", "many")
    monkeypatch.setenv("INTERLOCK_GATEWAY__MAX_BODY", "1")

    with pytest.raises(BadInput) as refused:
        load_settings()

    lines = refused.value.message.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "INTERLOCK_PORT",
        "INTERLOCK_GATEWAY__MAX_BODY",
    ]


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_BOOTSTRAP_KEY", "a-very-secret-bootstrap-key")

    assert "a-very-secret" not in repr(load_settings())


def test_there_are_fewer_than_sixty_fields() -> None:
    nested = [value for _, value in Settings() if isinstance(value, BaseModel)]

    assert len(Settings.model_fields) + sum(len(type(each).model_fields) for each in nested) < 60


def test_the_address_of_ipv6_and_of_a_public_url() -> None:
    assert Settings(host="::1").address == "http://[::1]:20100"
    assert Settings(public_url="https://tools.example/").address == "https://tools.example"
