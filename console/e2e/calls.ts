/** Calls that other clients make meanwhile. */
import { stage } from "./harness";

const MODERN = "2026-07-28";
const META = "io.modelcontextprotocol/";

/** Calls a tool as a client with the key does, and returns the status. */
export async function call(name: string, values: object, client?: string): Promise<number> {
  return (await answerOf(name, values, client)).status;
}

/** Calls a tool as a client with the key does, and returns the status and what was said. */
export async function answerOf(
  name: string,
  values: object,
  client = "observed",
): Promise<{ status: number; said: string }> {
  const meta = {
    [`${META}protocolVersion`]: MODERN,
    [`${META}clientInfo`]: { name: client, version: "1" },
    [`${META}clientCapabilities`]: {},
  };
  const answer = await fetch(`${stage.address}/mcp/default`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${stage.key}`,
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": MODERN,
      "mcp-method": "tools/call",
      "mcp-name": name,
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name, arguments: values, _meta: meta },
    }),
  });
  return { status: answer.status, said: await answer.text() };
}
