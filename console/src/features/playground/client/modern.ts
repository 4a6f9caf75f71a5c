/** The modern era: stateless requests, and questions that come in their results. */
import { exchange } from "./http";
import {
  Answered,
  CAPABILITIES,
  CLIENT,
  type Hooks,
  headerValue,
  type Json,
  META,
  type Message,
  MODERN,
  mirrored,
  type Place,
} from "./protocol";

let last = 0;

/** Sends a request until it has a result that asks for nothing more. Raises Answered, ApiError. */
export async function requestModern(
  place: Place,
  method: string,
  params: Json,
  hooks: Hooks,
  signal: AbortSignal,
  schema?: Json,
): Promise<Json> {
  let more: Json = {};
  while (true) {
    const result = await once(place, method, { ...params, ...more }, hooks, signal, schema);
    if (result.resultType !== "input_required") return result;
    const questions = (result.inputRequests ?? {}) as Record<string, Message>;
    const answers = await Promise.all(
      Object.entries(questions).map(async ([name, asked]) => [
        name,
        await hooks.ask({
          id: `${last} ${name}`,
          method: asked.method ?? "",
          params: asked.params ?? {},
        }),
      ]),
    );
    more = { inputResponses: Object.fromEntries(answers) };
    if (result.requestState !== undefined) more.requestState = result.requestState;
  }
}

async function once(
  place: Place,
  method: string,
  params: Json,
  hooks: Hooks,
  signal: AbortSignal,
  schema?: Json,
): Promise<Json> {
  last += 1;
  const id = last;
  const meta = {
    [`${META}protocolVersion`]: MODERN,
    [`${META}clientInfo`]: CLIENT,
    [`${META}clientCapabilities`]: CAPABILITIES,
    [`${META}logLevel`]: "debug",
    progressToken: id,
  };
  const message: Message = { jsonrpc: "2.0", id, method, params: { ...params, _meta: meta } };
  hooks.wire("sent", message);
  const name = params.name ?? params.uri;
  const headers = {
    "mcp-protocol-version": MODERN,
    "mcp-method": method,
    ...(typeof name === "string" ? { "mcp-name": headerValue(name) } : {}),
    ...mirrored(schema, (params.arguments ?? {}) as Json),
  };
  const answer = await exchange(place, "POST", headers, message, signal);
  const requestId = answer.headers.get("x-request-id") ?? undefined;
  if (requestId) hooks.requestId(requestId);
  for await (const said of answer.messages) {
    hooks.wire("received", said);
    if (said.method) hooks.notified(said.method, said.params ?? {});
    else if (said.error) throw new Answered(said.error, requestId);
    else if (said.result) return said.result;
  }
  signal.throwIfAborted();
  throw new Error("The stream ended without an answer.");
}
