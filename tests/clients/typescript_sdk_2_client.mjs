// The official TypeScript SDK 2.x as a client: carries out a plan in either era.

import { CAPABILITIES, main, NEWS, QUESTIONS, required, Session, transport } from "./performer.mjs";

const { Client, SSEClientTransport, StreamableHTTPClientTransport } = required(
  "@modelcontextprotocol/client",
);
const { StdioClientTransport } = required("@modelcontextprotocol/client/stdio");

const TRANSPORTS = {
  HTTP: StreamableHTTPClientTransport,
  SSE: SSEClientTransport,
  Stdio: StdioClientTransport,
};
// Progress that this client makes up itself, when it answers what a modern server asks.
const ITS_OWN = "Fulfilling input required by";
const LOUD = { "io.modelcontextprotocol/logLevel": "debug" };

await main(async (target, seen) => {
  const client = new Client(
    { name: "typescript-2", version: "1" },
    {
      capabilities: CAPABILITIES,
      versionNegotiation: { mode: target.way === "modern" ? "auto" : "legacy" },
    },
  );
  for (const method of QUESTIONS) {
    client.setRequestHandler(method, ({ params }) => seen.answer(method, params));
  }
  for (const method of NEWS) {
    client.setNotificationHandler(method, ({ params }) => seen.hear(method, params));
  }
  await client.connect(transport(target, TRANSPORTS));
  const isModern = client.getProtocolEra() === "modern";
  return new Session(client, {
    isModern,
    callTool: (params, { onprogress, ...options }) =>
      client.callTool(isModern ? { ...params, _meta: LOUD } : params, {
        ...options,
        onprogress: (told) => told.message?.startsWith(ITS_OWN) || onprogress(told),
      }),
    version: () => client.getNegotiatedProtocolVersion(),
  });
});
