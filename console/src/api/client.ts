/** The typed client of the control API, and how its refusals read. */
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

let csrfToken = "";

/** Sends this token with every change from now on. */
export function proveWith(token: string): void {
  csrfToken = token;
}

/** Headers that a change needs which this client does not make, such as a stream. */
export function proof(): Record<string, string> {
  return csrfToken ? { "X-CSRF-Token": csrfToken } : {};
}

/** A refusal of the API: a stable reason, a sentence for people, and what finds the line of the log. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly requestId: string | undefined,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** The gateway cannot be reached at all. */
export class Unreachable extends Error {}

type Refusal = { error?: { reason?: string; message?: string; request_id?: string } };

/** Turns an answer that is a refusal into the error that says so. */
export async function refusalOf(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as Refusal;
  return new ApiError(
    response.status,
    body.error?.reason ?? "unknown",
    body.error?.message ?? response.statusText,
    body.error?.request_id ?? response.headers.get("x-request-id") ?? undefined,
  );
}

const guards: Middleware = {
  onRequest({ request }) {
    if (request.method !== "GET") {
      for (const [name, value] of Object.entries(proof())) request.headers.set(name, value);
    }
    return request;
  },
  async onResponse({ response }) {
    if (!response.ok) throw await refusalOf(response);
  },
  onError({ error }) {
    return error instanceof TypeError ? new Unreachable() : undefined;
  },
};

export const api = createClient<paths>({ baseUrl: "", headers: { accept: "application/json" } });
api.use(guards);

/** Takes what an answer brought; a refusal has been thrown before. */
export async function brought<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T;
}
