"""The MCP SDK for TypeScript: a module that connects to each endpoint, under Node or compiled."""

from collections.abc import Sequence

from interlock.exports.clients.format import (
    KEY_VARIABLE,
    ClientFormat,
    Endpoint,
    by_entry_name,
    quoted,
    whole_seconds,
)

FORMAT = ClientFormat(
    id="typescript-sdk",
    title="TypeScript SDK",
    file_hint="a module, .mts or .mjs; npm install @modelcontextprotocol/client",
    language="typescript",
)

_IMPORT = (
    'import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";\n\n'
)
# Nothing in it is of TypeScript alone, so that Node runs the same text as JavaScript.
_BODY = """
for (const [name, { url, timeout }] of Object.entries(SERVERS)) {
  const client = new Client(
    { name: "my-client", version: "1.0.0" },
    { versionNegotiation: { mode: "auto" } },
  );
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: HEADERS },
  });
  await client.connect(transport, { timeout });
  const { tools } = await client.listTools(undefined, { timeout });
  console.log(name, JSON.stringify(tools.map((tool) => tool.name)));
  await client.close();
}
"""


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return a module that lists the tools of every endpoint.

    Without a key it reads the environment variable `INTERLOCK_KEY`.
    """
    value = quoted(f"Bearer {key}") if key else f"`Bearer ${{process.env.{KEY_VARIABLE}}}`"
    servers = [
        f"  {quoted(name)}: {{\n    url: {quoted(endpoint.url)},"
        f"\n    timeout: {whole_seconds(endpoint.timeout) * 1000},\n  }},\n"
        for name, endpoint in by_entry_name(endpoints).items()
    ]
    head = "// The address and the timeout in milliseconds of each server.\nconst SERVERS = {\n"
    headers = f"}};\nconst HEADERS = {{ Authorization: {value} }};\n"
    return "".join([_IMPORT, head, *servers, headers, _BODY])
