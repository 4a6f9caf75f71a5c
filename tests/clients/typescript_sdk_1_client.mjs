// The official TypeScript SDK 1.x as a client: carries out a plan.

import { CAPABILITIES, main, QUESTIONS, required, Session, transport } from "./performer.mjs";

const { Client } = required("@modelcontextprotocol/sdk/client/index.js");
const { SSEClientTransport } = required("@modelcontextprotocol/sdk/client/sse.js");
const { StdioClientTransport } = required("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = required(
  "@modelcontextprotocol/sdk/client/streamableHttp.js",
);
const types = required("@modelcontextprotocol/sdk/types.js");

const SCHEMAS = {
  "elicitation/create": types.ElicitRequestSchema,
  "sampling/createMessage": types.CreateMessageRequestSchema,
  "roots/list": types.ListRootsRequestSchema,
};
const TRANSPORTS = {
  HTTP: StreamableHTTPClientTransport,
  SSE: SSEClientTransport,
  Stdio: StdioClientTransport,
};

await main(async (target, seen) => {
  const client = new Client({ name: "typescript-1", version: "1" }, { capabilities: CAPABILITIES });
  for (const method of QUESTIONS) {
    client.setRequestHandler(SCHEMAS[method], ({ params }) => seen.answer(method, params));
  }
  client.fallbackNotificationHandler = async ({ method, params }) => seen.hear(method, params);
  const way = transport(target, TRANSPORTS);
  let version = null;
  const setVersion = way.setProtocolVersion?.bind(way);
  // The client tells the version that was agreed on to its transport alone.
  way.setProtocolVersion = (agreed) => {
    version = agreed;
    setVersion?.(agreed);
  };
  await client.connect(way);
  return new Session(client, {
    callTool: (params, options) => client.callTool(params, undefined, options),
    version: () => version,
  });
});
