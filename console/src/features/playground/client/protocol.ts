/** The words of MCP that the playground uses, as plain data. */

export const MODERN = "2026-07-28";
export const LEGACY = "2025-11-25";
export const META = "io.modelcontextprotocol/";
export const CLIENT = { name: "interlock-console", title: "Interlock console", version: "1" };
/** What a person in front of the page can answer. */
export const CAPABILITIES = { elicitation: { form: {}, url: {} }, sampling: {} };

export type Json = Record<string, unknown>;
export type Era = "modern" | "legacy";
export type Id = string | number;

export type Message = {
  jsonrpc: "2.0";
  id?: Id;
  method?: string;
  params?: Json;
  result?: Json;
  error?: RpcError;
};
export type RpcError = { code: number; message: string; data?: unknown };

/** A JSON-RPC error that was answered. */
export class Answered extends Error {
  constructor(
    readonly error: RpcError,
    readonly requestId: string | undefined,
  ) {
    super(error.message);
  }
}

/** What the server wants to know from the person, and how it is told. */
export type Question = {
  id: string;
  method: string;
  params: Json;
  answer: (result: Json) => void;
};

/** What a call hears while it runs. */
export type Hooks = {
  wire: (direction: "sent" | "received", message: unknown) => void;
  notified: (method: string, params: Json) => void;
  ask: (question: Omit<Question, "answer">) => Promise<Json>;
  requestId: (id: string) => void;
};

/** Which endpoint is called, in which era, and with which credential. */
export type Place = { project: string; era: Era; key: string };

/** Makes a text safe for a header (2026-07-28, basic/transports/streamable-http, value encoding). */
export function headerValue(value: string | number | boolean): string {
  const text = String(value);
  const isPlain =
    /^[\x20-\x7e]*$/.test(text) && text.trim() === text && !/^=\?base64\?.*\?=$/.test(text);
  if (isPlain) return text;
  const bytes = new TextEncoder().encode(text);
  return `=?base64?${btoa(String.fromCharCode(...bytes))}?=`;
}

/** Returns the arguments that a tool wants mirrored in headers, by the names of these. */
export function mirrored(schema: Json | undefined, values: Json): Record<string, string> {
  const found: Record<string, string> = {};
  const properties = (schema?.properties ?? {}) as Record<string, Json>;
  for (const [name, each] of Object.entries(properties)) {
    const value = values[name];
    const header = each["x-mcp-header"];
    if (typeof header === "string" && ["string", "number", "boolean"].includes(typeof value)) {
      found[`mcp-param-${header.toLowerCase()}`] = headerValue(value as string);
    }
    if (each.properties && typeof value === "object" && value !== null) {
      Object.assign(found, mirrored(each, value as Json));
    }
  }
  return found;
}
