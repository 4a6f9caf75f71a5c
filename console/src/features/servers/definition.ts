/** A server as the form has it, and as the API takes it. */
import * as z from "zod/mini";
import type { Server } from "@/api/servers";
import { asObject, KEPT, type KeyValue } from "@/components/KeyValues";

export const TRANSPORTS = ["stdio", "streamable-http", "sse"] as const;
export type Transport = (typeof TRANSPORTS)[number];

const pairs = z.array(z.object({ name: z.string(), value: z.string() }));

/** The form; the messages are keys of the language files. */
export const definitionForm = z
  .object({
    name: z
      .string()
      .check(
        z.minLength(1, "nameMissing"),
        z.maxLength(100, "nameLong"),
        z.regex(/^[^/]*$/, "nameSlash"),
      ),
    description: z.string(),
    transport: z.enum(TRANSPORTS),
    command: z.string(),
    args: z.string(),
    env: pairs,
    cwd: z.string(),
    url: z.string(),
    headers: pairs,
    timeout: z.number("timeoutWrong").check(z.gt(0, "timeoutWrong")),
  })
  .check(
    z.refine((form) => form.transport !== "stdio" || form.command.trim() !== "", {
      path: ["command"],
      error: "commandMissing",
    }),
    z.refine((form) => form.transport === "stdio" || /^https?:\/\/.+/.test(form.url.trim()), {
      path: ["url"],
      error: "urlWrong",
    }),
  );

export type DefinitionForm = z.infer<typeof definitionForm>;

const EMPTY: DefinitionForm = {
  name: "",
  description: "",
  transport: "stdio",
  command: "",
  args: "",
  env: [],
  cwd: "",
  url: "",
  headers: [],
  timeout: 60,
};

/** The form for a server that is there, or for a new one. */
export function formOf(server?: Server): DefinitionForm {
  if (!server) return EMPTY;
  const kept = (names: readonly string[] | null | undefined): KeyValue[] =>
    (names ?? []).map((name) => ({ name, value: KEPT }));
  return {
    name: server.name,
    description: server.description,
    transport: TRANSPORTS.find((each) => each === server.transport) ?? "streamable-http",
    command: server.command ?? "",
    args: (server.args ?? []).join("\n"),
    env: kept(server.env_names),
    cwd: server.cwd ?? "",
    url: server.url ?? "",
    headers: kept(server.header_names),
    timeout: server.timeout,
  };
}

/** What the API is sent. */
export function bodyOf(form: DefinitionForm): Record<string, unknown> {
  const common = {
    name: form.name.trim(),
    type: form.transport,
    description: form.description.trim(),
    timeout: form.timeout,
  };
  if (form.transport !== "stdio") {
    return { ...common, url: form.url.trim(), headers: asObject(form.headers) };
  }
  return {
    ...common,
    command: form.command.trim(),
    args: form.args.split("\n").filter((line) => line !== ""),
    env: asObject(form.env),
    cwd: form.cwd.trim() || null,
  };
}

/** Cuts a whole command line into the program and its arguments, where it holds no quotes. */
export function cutCommand(line: string): { command: string; args: string } | null {
  const [command, ...args] = line.trim().split(/\s+/);
  if (!command || args.length === 0 || /["'\\]/.test(line)) return null;
  return { command, args: args.join("\n") };
}
