import ast
import re
import tomllib
from collections.abc import Sequence

import pytest

from interlock.errors import NotFound
from interlock.exports.clients import CLIENTS, Endpoint, render
from interlock.registry.config import ImportedConfig, read_config
from interlock.upstreams.definition import HTTPTarget, ServerDefinition, StdioTarget

KEY = "ik_0123456789abcdef"
GITHUB = Endpoint(
    name="github",
    url="http://127.0.0.1:20100/mcp/default/github",
    sse_url="http://127.0.0.1:20100/sse/default/github",
    timeout=90.0,
    auto_approve=("search", "read.file"),
)
FILES = Endpoint(
    name="files",
    url="https://gate.example.com/mcp/default/files",
    sse_url="https://gate.example.com/sse/default/files",
    timeout=60.0,
)
ENDPOINTS = (GITHUB, FILES)
FILE_READERS = [
    "claude-code",
    "cursor",
    "vscode",
    "cline",
    "windsurf",
    "codex",
    "gemini-cli",
    "langflow",
    "flowise",
]
PROMPTING = {"cline": "YOUR_INTERLOCK_KEY", "langflow": "YOUR_INTERLOCK_KEY"}
PROMPTING["flowise"] = PROMPTING["langflow"]


def read_back(
    client: str, endpoints: Sequence[Endpoint], key: str | None, *, source: str = ""
) -> ImportedConfig:
    config = read_config(
        render(client, endpoints, key).text,
        environ={"INTERLOCK_KEY": "from-environment"},
        inputs={"interlock-key": "from-environment"},
        source=source,
    )
    assert (config.faults, config.warnings) == ((), ())
    return config


def target(endpoint: Endpoint, key: str) -> HTTPTarget:
    return HTTPTarget(endpoint.url, {"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize("client", FILE_READERS)
def test_what_is_written_reads_back_as_the_same_addresses_and_key(client: str) -> None:
    config = read_back(client, ENDPOINTS, KEY)

    assert [target(GITHUB, KEY), target(FILES, KEY)] == [s.target for s in config.servers]
    assert [server.name for server in config.servers] == ["github", "files"]


@pytest.mark.parametrize("client", FILE_READERS)
def test_without_a_key_the_client_finds_it_its_own_way_or_shows_a_placeholder(client: str) -> None:
    key = PROMPTING.get(client, "from-environment")
    config = read_back(client, ENDPOINTS, None)

    assert [target(GITHUB, key), target(FILES, key)] == [s.target for s in config.servers]


@pytest.mark.parametrize("client", ["vscode", "cline", "windsurf", "codex", "gemini-cli"])
def test_what_is_written_is_recognised_as_the_format_of_the_client(client: str) -> None:
    assert client == read_back(client, [GITHUB], None).dialect


@pytest.mark.parametrize(
    ("client", "source"), [("claude-code", ".mcp.json"), ("cursor", "/home/ada/.cursor/mcp.json")]
)
def test_what_is_written_reads_back_under_the_name_of_its_file(client: str, source: str) -> None:
    assert client == read_back(client, [GITHUB], None, source=source).dialect


@pytest.mark.parametrize("client", ["cline", "codex", "gemini-cli"])
def test_timeouts_keep_their_length_in_the_unit_of_the_client(client: str) -> None:
    config = read_back(client, ENDPOINTS, None)

    assert [server.timeout for server in config.servers] == [90.0, 60.0]


@pytest.mark.parametrize("client", ["cline", "codex"])
def test_approved_tools_stay_approved(client: str) -> None:
    config = read_back(client, ENDPOINTS, None)

    assert [server.auto_approve for server in config.servers] == [("search", "read.file"), ()]


def test_a_timeout_that_cline_refuses_is_raised_to_its_least() -> None:
    brief = Endpoint("a", "http://h/mcp", "http://h/sse", 1.5)

    assert [server.timeout for server in read_back("cline", [brief], None).servers] == [30.0]


@pytest.mark.parametrize(("key", "expected"), [(KEY, KEY), (None, "YOUR_INTERLOCK_KEY")])
def test_claude_desktop_bridges_by_a_process(key: str | None, expected: str) -> None:
    config = read_back("claude-desktop", [GITHUB], key)

    bridge = ("--from", "interlock-mcp", "interlock", "connect", GITHUB.url)
    definition = ServerDefinition("github", StdioTarget("uvx", bridge, {"INTERLOCK_KEY": expected}))
    assert config.dialect == "claude-desktop"
    assert (definition,) == config.servers


def test_one_endpoint_is_the_whole_configuration_of_a_flowise_node() -> None:
    node = ast.literal_eval(render("flowise", [GITHUB], KEY).text)

    assert {"url": GITHUB.url, "headers": {"Authorization": f"Bearer {KEY}"}} == node


def test_codex_reads_the_key_from_the_environment_by_itself() -> None:
    document = tomllib.loads(render("codex", [FILES], None).text)

    server = {"url": FILES.url, "bearer_token_env_var": "INTERLOCK_KEY", "tool_timeout_sec": 60}
    assert {"mcp_servers": {"files": server}} == document


LEGAL = {"gemini-cli": r"[A-Za-z0-9-]{1,40}"}


@pytest.mark.parametrize("client", [c for c in FILE_READERS if c != "flowise"])
def test_names_become_legal_and_stay_apart(client: str) -> None:
    names = ["깃허브", "파일", "a b", "a-b", "a/b", "a.b-", "x" * 60, "x" * 50, 'a"]\n[b', "_"]
    endpoints = [
        Endpoint(name, f"http://h/mcp/{index}", f"http://h/sse/{index}", 60.0)
        for index, name in enumerate(names)
    ]
    config = read_back(client, endpoints, KEY)

    assert [e.url for e in endpoints] == [
        server.target.url for server in config.servers if isinstance(server.target, HTTPTarget)
    ]
    legal = re.compile(LEGAL.get(client, r"[A-Za-z0-9_-]{1,40}"))
    assert [server.name for server in config.servers if not legal.fullmatch(server.name)] == []


@pytest.mark.parametrize("client", list(CLIENTS))
def test_a_key_and_an_address_cannot_break_out_of_the_text(client: str) -> None:
    sly = "k\"'\\\x7f`\n{}"
    endpoint = Endpoint("a", 'http://h/"\\', "http://h/sse", 60.0, ('t"]\n',))
    configuration = render(client, [endpoint], sly)

    if configuration.language == "python":
        constants = {
            node.value
            for node in ast.walk(ast.parse(configuration.text))
            if isinstance(node, ast.Constant)
        }
        assert {endpoint.url, f"Bearer {sly}"} <= constants
    elif configuration.language == "toml":
        server = tomllib.loads(configuration.text)["mcp_servers"]["a"]
        assert {"Authorization": f"Bearer {sly}"} == server["http_headers"]
    else:
        assert '"h\\' not in configuration.text
        assert re.search(r'k\\"\'\\\\', configuration.text)


@pytest.mark.parametrize("client", list(CLIENTS))
def test_the_configuration_carries_what_the_list_of_clients_says(client: str) -> None:
    configuration = render(client, ENDPOINTS, KEY)
    said = CLIENTS[client]

    assert (said.id, said.title, said.file_hint, said.language) == (
        configuration.client,
        configuration.title,
        configuration.path_hint,
        configuration.language,
    )
    assert KEY in configuration.text
    assert KEY not in render(client, ENDPOINTS, None).text


@pytest.mark.parametrize("client", list(CLIENTS))
def test_no_endpoints_make_an_empty_configuration(client: str) -> None:
    configuration = render(client, [], None)

    if configuration.language == "python":
        ast.parse(configuration.text)
    assert "://" not in configuration.text


def test_an_unknown_client_is_refused_with_the_known_ones() -> None:
    with pytest.raises(NotFound) as refusal:
        render("emacs", ENDPOINTS, KEY)

    assert all(client in refusal.value.message for client in CLIENTS)
