/** A call as text to take along. */
import type { JSONObject } from "./mcp";

export type SnippetLanguage = "curl" | "python" | "typescript";

type Described = { address: string; project: string; tool: string; args: JSONObject };

export function snippet(language: SnippetLanguage, call: Described): string {
  return { curl, python, typescript }[language](call);
}

function curl({ address, project, tool, args }: Described): string {
  const body = {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: {
      name: tool,
      arguments: args,
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    },
  };
  return [
    `curl ${address}/mcp/${project} \\`,
    `  -H "Authorization: Bearer $INTERLOCK_KEY" \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -H 'Accept: application/json, text/event-stream' \\`,
    `  -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: ${tool}' \\`,
    `  -d ${quoted(JSON.stringify(body, null, 2))}`,
  ].join("\n");
}

function python({ address, project, tool, args }: Described): string {
  return `import asyncio
import json
import os

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

ARGUMENTS = json.loads(${JSON.stringify(JSON.stringify(args))})
HEADERS = {"Authorization": f"Bearer {os.environ['INTERLOCK_KEY']}"}


async def main() -> None:
    async with (
        httpx2.AsyncClient(headers=HEADERS, timeout=60) as http,
        Client(streamable_http_client("${address}/mcp/${project}", http_client=http)) as client,
    ):
        result = await client.call_tool(${JSON.stringify(tool)}, ARGUMENTS)
        print(result.model_dump_json(indent=2))


asyncio.run(main())
`;
}

function typescript({ address, project, tool, args }: Described): string {
  return `import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const client = new Client({ name: "example", version: "1.0.0" });
const headers = { Authorization: \`Bearer \${process.env.INTERLOCK_KEY}\` };
await client.connect(
  new StreamableHTTPClientTransport(new URL("${address}/mcp/${project}"), { requestInit: { headers } }),
);
const result = await client.callTool({ name: ${JSON.stringify(tool)}, arguments: ${JSON.stringify(args)} });
console.log(JSON.stringify(result, null, 2));
await client.close();
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
