/** A call as programs write it; the key is read from the environment, never written down. */
import { endpointOf } from "./client/http";
import { CLIENT, headerValue, type Json, META, MODERN } from "./client/protocol";

export type Call = { project: string; tool: string; arguments: Json };
export const SNIPPETS = { curl: "curl", python: "Python", typescript: "TypeScript" } as const;
export type Kind = keyof typeof SNIPPETS;

/** Writes a call as a command or a program. */
export function snippet(kind: Kind, call: Call, origin = location.origin): string {
  const address = `${origin}${endpointOf(call.project)}`;
  return { curl, python, typescript }[kind](call, address);
}

function curl(call: Call, address: string): string {
  const meta = {
    [`${META}protocolVersion`]: MODERN,
    [`${META}clientInfo`]: { name: "curl", version: CLIENT.version },
    [`${META}clientCapabilities`]: {},
  };
  const params = { name: call.tool, arguments: call.arguments, _meta: meta };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }, null, 2);
  return [
    `curl ${address}`,
    '  -H "Authorization: Bearer $INTERLOCK_KEY"',
    "  -H 'Content-Type: application/json'",
    "  -H 'Accept: application/json, text/event-stream'",
    `  -H 'MCP-Protocol-Version: ${MODERN}'`,
    "  -H 'Mcp-Method: tools/call'",
    `  -H 'Mcp-Name: ${headerValue(call.tool)}'`,
    `  -d '${body.replaceAll("'", "'\\''")}'`,
  ].join(" \\\n");
}

function python(call: Call, address: string): string {
  return `import asyncio
import os

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main() -> None:
    headers = {"Authorization": f"Bearer {os.environ['INTERLOCK_KEY']}"}
    async with streamablehttp_client(${JSON.stringify(address)}, headers=headers) as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()
            result = await session.call_tool(${JSON.stringify(call.tool)}, ${literal(call.arguments)})
            print(result.model_dump_json(indent=2))


asyncio.run(main())
`;
}

function typescript(call: Call, address: string): string {
  return `import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const transport = new StreamableHTTPClientTransport(new URL(${JSON.stringify(address)}), {
  requestInit: { headers: { Authorization: \`Bearer \${process.env.INTERLOCK_KEY}\` } },
});
const client = new Client({ name: "example", version: "1.0.0" });
await client.connect(transport);
const result = await client.callTool({
  name: ${JSON.stringify(call.tool)},
  arguments: ${JSON.stringify(call.arguments, null, 2).replaceAll("\n", "\n  ")},
});
console.log(JSON.stringify(result, null, 2));
await client.close();
`;
}

/** JSON as a Python literal. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") {
    const items = Object.entries(value).map(
      ([key, each]) => `${JSON.stringify(key)}: ${literal(each)}`,
    );
    return `{${items.join(", ")}}`;
  }
  return JSON.stringify(value);
}
