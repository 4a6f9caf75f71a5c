"""`interlock doctor`: looks at everything that a start and a call need."""

from collections.abc import Iterator
from pathlib import Path

import typer

from interlock.checks.finding import Code, Finding, Level, error, fine
from interlock.checks.machine import check_data_dir, check_python
from interlock.cli.checks.port import check_port
from interlock.cli.checks.running import check_gateway
from interlock.cli.options import DataOption, JSONOption, KeyOption, ProjectOption, URLOption
from interlock.cli.rest import Gateway
from interlock.cli.screen import Screen
from interlock.cli.target import CREDENTIALS, find_target
from interlock.errors import BadInput
from interlock.settings import Settings, load_settings

app = typer.Typer()


@app.command("doctor")
def doctor(
    *,
    url: URLOption = None,
    key: KeyOption = None,
    project: ProjectOption = None,
    data: DataOption = None,
    as_json: JSONOption = False,
) -> int:
    """Look for what is wrong; the status is 1 where something is."""
    screen = Screen(as_json=as_json)
    findings: list[Finding] = [check_python()]
    with screen.working("Looking …"):
        settings = _settings(findings, data)
        if settings is not None:
            findings += check_data_dir(settings.data_dir)
            findings.append(check_port(settings.host, settings.port))
        findings += _remote(url, key, project, settings.data_dir if settings else data)
    failed = any(each.level is Level.ERROR for each in findings)
    screen.document({"ok": not failed, "findings": [_document(each) for each in findings]})
    screen.table(
        ("CODE", "LEVEL", "WHAT", "CURE"),
        [(each.code, each.level, each.message, each.cure) for each in findings],
    )
    return 1 if failed else 0


def _settings(findings: list[Finding], data: Path | None) -> Settings | None:
    try:
        settings = load_settings({"data_dir": data})
    except BadInput as fault:
        cure = "Correct it in the environment or in .env."
        findings += [error(Code.SETTINGS, line, cure) for line in fault.message.splitlines()]
        return None
    findings.append(fine(Code.SETTINGS, "The settings are valid."))
    return settings


def _remote(
    url: str | None, key: str | None, project: str | None, data: Path | None
) -> Iterator[Finding]:
    try:
        target = find_target(url=url, key=key, project=project, data=data)
    except BadInput as fault:
        yield error(Code.CREDENTIALS, fault.message, "The message says what to do.")
        return
    was_started = data is not None and (data / CREDENTIALS).exists()
    with Gateway(target) as gateway:
        yield from check_gateway(gateway, expected=was_started or url is not None)


def _document(finding: Finding) -> dict[str, str]:
    return {
        "code": finding.code,
        "level": finding.level,
        "message": finding.message,
        "cure": finding.cure,
    }
