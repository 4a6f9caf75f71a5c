/** The legacy era: a session, kept for as long as the page lives, and requests of the server. */
import { ApiError } from "@/api/client";
import { exchange } from "./http";
import {
  Answered,
  CAPABILITIES,
  CLIENT,
  type Hooks,
  type Json,
  LEGACY,
  type Message,
  type Place,
} from "./protocol";

type Session = { id: string; place: Place; hearers: Set<Hooks>; stream: AbortController };

const sessions = new Map<string, Promise<Session>>();
let last = 0;

/** Sends a request in the session of a place. Raises Answered, ApiError. */
export async function requestLegacy(
  place: Place,
  method: string,
  params: Json,
  hooks: Hooks,
  signal: AbortSignal,
): Promise<Json> {
  const session = await sessionOf(place, hooks);
  try {
    return await within(session, method, params, hooks, signal);
  } catch (failure) {
    if (!(failure instanceof ApiError) || failure.status !== 404) throw failure;
    // The gateway has forgotten the session, and wants another one.
    sessions.delete(nameOf(place));
    return within(await sessionOf(place, hooks), method, params, hooks, signal);
  }
}

/** Ends all sessions; the page is about to go. */
export function endSessions(): void {
  for (const opening of sessions.values()) {
    opening
      .then((session) => {
        session.stream.abort();
        return exchange(session.place, "DELETE", headersOf(session), undefined);
      })
      .catch(() => undefined);
  }
  sessions.clear();
}

addEventListener("pagehide", endSessions);

const nameOf = (place: Place) => `${place.project} ${place.key}`;
const headersOf = (session: Session) => ({
  "mcp-session-id": session.id,
  "mcp-protocol-version": LEGACY,
});

function sessionOf(place: Place, hooks: Hooks): Promise<Session> {
  const kept = sessions.get(nameOf(place));
  if (kept) return kept;
  const opening = open(place, hooks);
  sessions.set(nameOf(place), opening);
  opening.catch(() => sessions.delete(nameOf(place)));
  return opening;
}

async function open(place: Place, hooks: Hooks): Promise<Session> {
  last += 1;
  const params = { protocolVersion: LEGACY, capabilities: CAPABILITIES, clientInfo: CLIENT };
  const message: Message = { jsonrpc: "2.0", id: last, method: "initialize", params };
  hooks.wire("sent", message);
  const answer = await exchange(place, "POST", {}, message);
  const { value: said } = await answer.messages.next();
  hooks.wire("received", said);
  if (said?.error) {
    throw new Answered(said.error, answer.headers.get("x-request-id") ?? undefined);
  }
  const id = answer.headers.get("mcp-session-id") ?? "";
  const session = { id, place, hearers: new Set<Hooks>(), stream: new AbortController() };
  await tell(session, { jsonrpc: "2.0", method: "notifications/initialized" }, hooks);
  if ((said?.result?.capabilities as Json | undefined)?.logging) {
    const level: Message = {
      jsonrpc: "2.0",
      id: `level ${last}`,
      method: "logging/setLevel",
      params: { level: "debug" },
    };
    await tell(session, level, hooks);
  }
  follow(session);
  return session;
}

/** Reads what the server says that belongs to no call, and lets every call under way hear it. */
async function follow(session: Session): Promise<void> {
  try {
    const { messages } = await exchange(
      session.place,
      "GET",
      headersOf(session),
      undefined,
      session.stream.signal,
    );
    for await (const said of messages) {
      for (const hooks of session.hearers) await hear(session, said, hooks);
    }
  } catch {
    // Calls say it themselves when the session is over.
  }
}

async function within(
  session: Session,
  method: string,
  params: Json,
  hooks: Hooks,
  signal: AbortSignal,
): Promise<Json> {
  last += 1;
  const id = last;
  const message: Message = {
    jsonrpc: "2.0",
    id,
    method,
    params: { ...params, _meta: { progressToken: id } },
  };
  hooks.wire("sent", message);
  const cancel = () => {
    const told: Message = {
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId: id, reason: "The user cancelled it." },
    };
    tell(session, told, hooks).catch(() => undefined);
  };
  signal.addEventListener("abort", cancel, { once: true });
  session.hearers.add(hooks);
  try {
    const answer = await exchange(session.place, "POST", headersOf(session), message, signal);
    const requestId = answer.headers.get("x-request-id") ?? undefined;
    if (requestId) hooks.requestId(requestId);
    for await (const said of answer.messages) {
      if (said.id !== id || said.method) {
        await hear(session, said, hooks);
        continue;
      }
      hooks.wire("received", said);
      if (said.error) throw new Answered(said.error, requestId);
      return said.result ?? {};
    }
    signal.throwIfAborted();
    throw new Error("The stream ended without an answer.");
  } finally {
    signal.removeEventListener("abort", cancel);
    session.hearers.delete(hooks);
  }
}

async function hear(session: Session, said: Message, hooks: Hooks): Promise<void> {
  hooks.wire("received", said);
  if (!said.method) return;
  if (said.id === undefined) {
    hooks.notified(said.method, said.params ?? {});
    return;
  }
  const { id, method, params = {} } = said;
  // Answered later: what the server says meanwhile must be heard.
  answerTo(method, params, String(id), hooks)
    .then((answer) => tell(session, { jsonrpc: "2.0", id, ...answer }, hooks))
    .catch(() => undefined);
}

async function answerTo(
  method: string,
  params: Json,
  id: string,
  hooks: Hooks,
): Promise<Pick<Message, "result" | "error">> {
  if (method === "ping") return { result: {} };
  if (method !== "elicitation/create" && method !== "sampling/createMessage") {
    return { error: { code: -32601, message: `Method not found: ${method}` } };
  }
  const result = await hooks.ask({ id, method, params });
  if (method === "sampling/createMessage" && result.refused) {
    return { error: { code: -1, message: "The user refused to sample." } };
  }
  return { result };
}

async function tell(session: Session, message: Message, hooks: Hooks): Promise<void> {
  hooks.wire("sent", message);
  const answer = await exchange(session.place, "POST", headersOf(session), message);
  for await (const said of answer.messages) hooks.wire("received", said);
}
