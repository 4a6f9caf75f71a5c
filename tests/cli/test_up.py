"""`interlock up`, and the other commands against the gateway that it starts."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from tests.cli.conftest import Interlock
from tests.support.processes import Finished, Running, finished, running

PROGRAM = str(Path(sys.executable).with_name("interlock"))
SECONDS = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[Running]:
    command = [PROGRAM, "up", "--port", "0", "--data", str(folder / "data")]
    with running(command, ready=r"Ctrl\+C", timeout=SECONDS, cwd=folder) as program:
        yield program


@pytest.fixture
def data(gateway: Running, folder: Path) -> str:
    return f"--data={folder / 'data'}"


def test_the_first_start_tells_all_that_a_user_needs(gateway: Running) -> None:
    lines = gateway.output.splitlines()
    (endpoint,) = [line for line in lines if line.startswith("MCP endpoint:")]
    (console,) = [line for line in lines if line.startswith("Console:")]
    (key,) = [line.split()[-1] for line in lines if line.startswith("API key:")]
    config = re.search(r"^\{\n(?:.*\n)*?\}$", gateway.output, re.MULTILINE)

    assert re.search(r"http://127\.0\.0\.1:\d+/mcp/default$", endpoint)
    assert re.search(r"http://127\.0\.0\.1:\d+/$", console)
    assert [line for line in lines if line.startswith("Admin e-mail:")] != []
    assert [line for line in lines if line.startswith("One-time password:")] != []
    assert config is not None
    (entry,) = json.loads(config[0])["mcpServers"].values()
    assert entry["url"] == endpoint.split()[-1]
    assert entry["headers"]["Authorization"] == f"Bearer {key}"


def test_commands_on_the_same_machine_need_no_credentials(
    interlock: Interlock, data: str, tmp_path: Path
) -> None:
    file = tmp_path / "mcp.json"
    hosted = {"command": sys.executable, "args": ["-m", "interlock.station.sample_server"]}
    file.write_text(json.dumps({"mcpServers": {"mine": hosted}}))

    imported = interlock("import", str(file), "--yes", data)
    tested = interlock("servers", "test", "mine", data, "--json")
    listed = interlock("servers", "list", data, "--json")
    created = interlock("keys", "create", "ci", data)
    exported = interlock("export", "cursor", data)
    checked = interlock("doctor", data, "--json")

    assert (imported.status, tested.status, tested.document["ok"]) == (0, 0, True)
    assert "mine" in [server["name"] for server in listed.document["servers"]]
    assert created.out.startswith("ilk_")
    assert "mcpServers" in json.loads(exported.out)
    key = next(f for f in checked.document["findings"] if f["code"] == "ILK009")
    assert key["level"] == "ok"


def test_a_tool_is_called_at_one_server(interlock: Interlock, data: str) -> None:
    ended = interlock("tools", "call", "echo", "message=hello", "--server", "sample", data)

    assert (ended.status, ended.out) == (0, "hello\n")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_client_that_speaks_stdio_reaches_the_gateway(mode: str, data: str) -> None:
    bridge = StdioServerParameters(command=PROGRAM, args=["connect", data])
    async with Client(bridge, mode=mode) as client:
        answer = await client.call_tool("sample__echo", {"message": "hello"})

    assert [block.model_dump()["text"] for block in answer.content] == ["hello"]


def test_faults_of_the_file_are_named_and_an_open_project_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text(
        json.dumps({"mcpServers": {"odd": {"command": 3}}, "interlock": {"open": True}})
    )
    command = [PROGRAM, "up", "--port", "0", "--config", str(file), "--data", str(tmp_path / "d")]

    with running(command, ready=r"Ctrl\+C", timeout=SECONDS, cwd=tmp_path) as program:
        lines = program.output.splitlines()

    (fault,) = [line for line in lines if line.startswith("FAULT:")]
    assert "odd" in fault
    assert "command" in fault
    assert [line for line in lines if line.startswith("WARNING:")] != []


def test_for_programs_a_start_is_one_document(tmp_path: Path) -> None:
    command = [PROGRAM, "up", "--port", "0", "--data", str(tmp_path / "d"), "--json"]

    with running(command, ready=r"\{.*\}\n", timeout=SECONDS, cwd=tmp_path) as program:
        assert program.ready is not None
        document = json.loads(program.ready[0])

    assert document["endpoint"] == f"{document['address']}/mcp/default"
    assert document["first"]["api_key"].startswith("ilk_")


def test_wrong_settings_end_the_start_with_one_line_each(tmp_path: Path) -> None:
    ended = up("--port", "99999", "--log-level", "loud", cwd=tmp_path)
    absent = up("--config", "absent.json", cwd=tmp_path)

    assert ended.status == 2
    assert len(ended.output.splitlines()) == 2
    assert sorted(line.split()[1] for line in ended.output.splitlines()) == [
        "INTERLOCK_LOG_LEVEL:",
        "INTERLOCK_PORT:",
    ]
    assert (absent.status, "absent.json" in absent.output) == (2, True)


def test_starting_twice_names_the_port(gateway: Running, tmp_path: Path) -> None:
    taken = re.search(r"127\.0\.0\.1:(\d+)", gateway.output)
    assert taken is not None

    ended = up("--port", taken[1], "--data", str(tmp_path / "d"), cwd=tmp_path)

    assert ended.status != 0
    assert taken[1] in ended.output
    assert "Traceback" not in ended.output


def up(*arguments: str, cwd: Path) -> Finished:
    return finished([PROGRAM, "up", *arguments], timeout=SECONDS, cwd=cwd)


def test_commands_start_without_loading_the_gateway() -> None:
    script = (
        "import sys, interlock.cli.connect, interlock.cli.version, interlock.cli.servers\n"
        "print([n for n in ('fastapi', 'sqlalchemy', 'interlock.app') if n in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS, check=True
    )

    assert done.stdout == "[]\n"
