/** Calls a tool as a client of the modern era: one request, answers to what the server asks, a result. */
import { proof, refusalOf } from "@/api/client";

const VERSION = "2026-07-28";
const PREFIX = "io.modelcontextprotocol/";

export type JSONObject = Record<string, unknown>;
export type Message = { direction: "sent" | "heard"; time: string; body: JSONObject };
export type Question = { method: string; params: JSONObject };
export type Answers = Record<string, JSONObject>;

export type Call = {
  project: string;
  tool: string;
  args: JSONObject;
  inputSchema?: unknown;
  signal: AbortSignal;
  /** Hears every message of both sides. */
  hear: (message: Message) => void;
  /** Answers what the server asks in the middle of the call. */
  ask: (questions: Record<string, Question>) => Promise<Answers>;
  /** Learns the id under which the gateway knows the request. */
  known: (requestId: string) => void;
};

/** An error that the server, or the gateway, answered by JSON-RPC. */
export class RPCFailure extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly data: unknown,
  ) {
    super(message);
  }
}

/** Makes the call; returns the result of the tool. Throws ApiError, RPCFailure, or AbortError. */
export async function invoke(call: Call): Promise<JSONObject> {
  let more: JSONObject = {};
  for (let id = 1; ; id += 1) {
    const result = await once(call, id, more);
    if (result.resultType !== "input_required") return result;
    const questions = (result.inputRequests ?? {}) as Record<string, Question>;
    const answers = await call.ask(questions);
    more = { inputResponses: answers };
    if (result.requestState !== undefined) more.requestState = result.requestState;
  }
}

async function once(call: Call, id: number, more: JSONObject): Promise<JSONObject> {
  const meta = {
    [`${PREFIX}protocolVersion`]: VERSION,
    [`${PREFIX}clientInfo`]: { name: "Interlock console", version: "1" },
    [`${PREFIX}clientCapabilities`]: { elicitation: { form: {}, url: {} }, sampling: {} },
    [`${PREFIX}logLevel`]: "debug",
    progressToken: `playground-${id}`,
  };
  const params = { name: call.tool, arguments: call.args, ...more, _meta: meta };
  const body = { jsonrpc: "2.0", id, method: "tools/call", params };
  call.hear({ direction: "sent", time: new Date().toISOString(), body });
  const path = `/api/v1/projects/${encodeURIComponent(call.project)}/playground`;
  const response = await fetch(path, {
    method: "POST",
    signal: call.signal,
    headers: {
      ...proof(),
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": VERSION,
      "mcp-method": "tools/call",
      "mcp-name": headerValue(call.tool),
      ...mirrored(call.inputSchema, call.args),
    },
    body: JSON.stringify(body),
  });
  call.known(response.headers.get("x-request-id") ?? "");
  for await (const message of messages(response)) {
    call.hear({ direction: "heard", time: new Date().toISOString(), body: message });
    if (message.id !== id) continue;
    if (message.result) return message.result as JSONObject;
    const error = (message.error ?? {}) as { code?: number; message?: string; data?: unknown };
    throw new RPCFailure(error.code ?? 0, error.message ?? "", error.data);
  }
  throw await refusalOf(response);
}

/** Reads the messages of an answer, alone or as events. */
async function* messages(response: Response): AsyncGenerator<JSONObject> {
  const type = response.headers.get("content-type") ?? "";
  if (!type.startsWith("text/event-stream")) {
    const body = (await response.clone().json()) as JSONObject;
    if (body.jsonrpc) yield body;
    return;
  }
  const reader = (response.body as ReadableStream<Uint8Array>)
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    const events = rest.split(/\r?\n\r?\n/);
    rest = events.pop() ?? "";
    for (const event of events) {
      const data = event
        .split(/\r?\n/)
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trimStart())
        .join("\n");
      if (data) yield JSON.parse(data) as JSONObject;
    }
  }
}

type Mirrored = { properties?: Record<string, Mirrored>; "x-mcp-header"?: string };

/** The arguments that a tool's schema wants in headers too. */
function mirrored(schema: unknown, args: JSONObject): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, field] of Object.entries((schema as Mirrored)?.properties ?? {})) {
    const value = args[name];
    const header = field["x-mcp-header"];
    if (header && ["string", "number", "boolean"].includes(typeof value)) {
      found[`Mcp-Param-${header}`] = headerValue(String(value));
    }
    if (value && typeof value === "object")
      Object.assign(found, mirrored(field, value as JSONObject));
  }
  return found;
}

/** A value as a header can carry it. */
function headerValue(value: string): string {
  if (/^[!-~](?:[ -~\t]*[!-~])?$|^$/.test(value) && !/^=\?base64\?.*\?=$/.test(value)) return value;
  const bytes = new TextEncoder().encode(value);
  return `=?base64?${btoa(String.fromCharCode(...bytes))}?=`;
}
