/** One HTTP request of an MCP client, and the messages that its answer brings. */
import { ApiError, proof, Unreachable } from "@/api/client";
import type { Message, Place } from "./protocol";

export type Sent = { headers: Headers; messages: AsyncGenerator<Message> };

export const endpointOf = (project: string) => `/mcp/${encodeURIComponent(project)}`;

/** Sends a message, or opens the stream of a session. Raises ApiError and Unreachable. */
export async function exchange(
  place: Place,
  method: "POST" | "GET" | "DELETE",
  headers: Record<string, string>,
  body: Message | undefined,
  signal?: AbortSignal,
): Promise<Sent> {
  const response = await fetch(endpointOf(place.project), {
    method,
    signal,
    // A key goes alone; a login needs the proof that this page asks.
    credentials: place.key ? "omit" : "same-origin",
    headers: {
      accept: method === "GET" ? "text/event-stream" : "application/json, text/event-stream",
      ...(body ? { "content-type": "application/json" } : {}),
      ...(place.key ? { authorization: `Bearer ${place.key}` } : proof()),
      ...headers,
    },
    body: body && JSON.stringify(body),
    keepalive: method === "DELETE",
  }).catch((failure) => {
    throw failure instanceof TypeError ? new Unreachable() : failure;
  });
  if (response.ok || (await isAnswer(response))) {
    return { headers: response.headers, messages: messagesOf(response) };
  }
  const said = (await response.json().catch(() => ({}))) as Message;
  throw new ApiError(
    response.status,
    "mcp",
    said.error?.message ?? response.statusText,
    response.headers.get("x-request-id") ?? undefined,
  );
}

/** Whether a status that is no success carries the answer of the request all the same. */
async function isAnswer(response: Response): Promise<boolean> {
  const copy = response.clone();
  const said = (await copy.json().catch(() => null)) as Message | null;
  return said?.error !== undefined && said.id !== undefined && said.id !== null;
}

async function* messagesOf(response: Response): AsyncGenerator<Message> {
  const type = response.headers.get("content-type") ?? "";
  if (type.includes("text/event-stream")) yield* events(response);
  else if (type.includes("application/json")) yield (await response.json()) as Message;
}

async function* events(response: Response): AsyncGenerator<Message> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = block
          .split("\n")
          .filter((line) => line.startsWith("data:"))
          .map((line) => line.slice(5).replace(/^ /, ""))
          .join("\n");
        if (data) yield JSON.parse(data) as Message;
      }
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
