/** The calls of this visit: each runs on when another page is opened, and can be made again. */
import { useSyncExternalStore } from "react";
import { ApiError } from "@/api/client";
import type { Tool } from "@/api/servers";
import { requestLegacy } from "./client/legacy";
import { requestModern } from "./client/modern";
import {
  Answered,
  type Era,
  type Hooks,
  type Json,
  type Place,
  type Question,
  type RpcError,
} from "./client/protocol";

export type Wire = { at: number; direction: "sent" | "received"; message: unknown };
export type Log = { at: number; level: string; logger?: string; data: unknown };
export type Progress = { progress: number; total?: number; message?: string };
export type RunState = "running" | "done" | "tool_error" | "failed" | "cancelled";

export type Run = {
  id: string;
  project: string;
  tool: string;
  server?: string;
  arguments: Json;
  era: Era;
  isByKey: boolean;
  startedAt: number;
  ms?: number;
  state: RunState;
  result?: Json;
  error?: RpcError;
  failure?: string;
  requestId?: string;
  progress?: Progress;
  steps: number;
  logs: readonly Log[];
  wire: readonly Wire[];
  questions: readonly Question[];
};

const KEPT = "interlock.playground";
const MAX_RUNS = 50;
const MAX_LINES = 500; // of the wire and of logs, for each run
const MAX_KEPT = 64 * 1024; // characters of a run that outlives a reload
const MAX_KEPT_ALL = 1024 * 1024;

let runs: readonly Run[] = restored();
const aborts = new Map<string, AbortController>();
const listeners = new Set<() => void>();

/** All calls of a project, the newest first. */
export function useRuns(project: string): readonly Run[] {
  const all = useSyncExternalStore(watch, () => runs);
  return all.filter((run) => run.project === project);
}

/** Begins a call and returns its id. */
export function begin(place: Place, tool: Tool, values: Json): string {
  const run: Run = {
    // It begins with a letter, so that addresses never take it for a number.
    id: `r${crypto.randomUUID().slice(0, 8)}`,
    project: place.project,
    tool: tool.exposed_name,
    server: tool.server,
    arguments: values,
    era: place.era,
    isByKey: place.key !== "",
    startedAt: Date.now(),
    state: "running",
    steps: 0,
    logs: [],
    wire: [],
    questions: [],
  };
  set([run, ...runs].slice(0, MAX_RUNS));
  const abort = new AbortController();
  aborts.set(run.id, abort);
  perform(run.id, place, tool, values, abort.signal);
  return run.id;
}

/** Cancels a call that is under way. */
export function cancel(id: string): void {
  aborts.get(id)?.abort();
}

/** Forgets the calls of a project that are over. */
export function forget(project: string): void {
  set(runs.filter((run) => run.project !== project || run.state === "running"));
}

/** Reads a resource, or calls a tool, as part of looking at a result. */
export async function ask(place: Place, method: string, params: Json): Promise<Json> {
  const hooks: Hooks = {
    wire: () => undefined,
    notified: () => undefined,
    requestId: () => undefined,
    ask: async () => ({ action: "decline" }),
  };
  return send(place, method, params, hooks, AbortSignal.timeout(60_000));
}

async function perform(
  id: string,
  place: Place,
  tool: Tool,
  values: Json,
  signal: AbortSignal,
): Promise<void> {
  const started = performance.now();
  const params = { name: tool.exposed_name, arguments: values };
  const end = (what: Partial<Run>) =>
    change(id, { ms: performance.now() - started, questions: [], ...what });
  try {
    const result = await send(place, "tools/call", params, hooksOf(id, signal), signal, tool);
    end({ state: result.isError === true ? "tool_error" : "done", result });
  } catch (failure) {
    if (signal.aborted) end({ state: "cancelled" });
    else end({ state: "failed", ...toldBy(failure) });
  } finally {
    aborts.delete(id);
  }
}

function send(
  place: Place,
  method: string,
  params: Json,
  hooks: Hooks,
  signal: AbortSignal,
  tool?: Tool,
): Promise<Json> {
  return place.era === "modern"
    ? requestModern(place, method, params, hooks, signal, tool?.inputSchema)
    : requestLegacy(place, method, params, hooks, signal);
}

function toldBy(failure: unknown): Partial<Run> {
  if (failure instanceof Answered) return { error: failure.error, ...idOf(failure.requestId) };
  if (failure instanceof ApiError) {
    return { failure: failure.message, ...idOf(failure.requestId) };
  }
  return { failure: failure instanceof Error ? failure.message : String(failure) };
}

const idOf = (requestId: string | undefined) => (requestId ? { requestId } : {});

function hooksOf(id: string, signal: AbortSignal): Hooks {
  return {
    wire: (direction, message) =>
      update(id, (run) => ({
        wire: [...run.wire, { at: Date.now(), direction, message }].slice(-MAX_LINES),
      })),
    requestId: (requestId) => change(id, { requestId }),
    notified: (method, params) => {
      if (method === "notifications/progress") {
        const progress = params as unknown as Progress;
        update(id, (run) => ({ progress, steps: run.steps + 1 }));
      }
      if (method === "notifications/message") {
        const { level, logger, data } = params as { level: string; logger?: string; data: unknown };
        update(id, (run) => ({
          logs: [...run.logs, { at: Date.now(), level, logger, data }].slice(-MAX_LINES),
        }));
      }
    },
    ask: (question) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        const answer = (result: Json) => {
          update(id, (run) => ({ questions: run.questions.filter((q) => q.id !== question.id) }));
          resolve(result);
        };
        update(id, (run) => ({ questions: [...run.questions, { ...question, answer }] }));
      }),
  };
}

function change(id: string, what: Partial<Run>): void {
  update(id, () => what);
}

function update(id: string, next: (run: Run) => Partial<Run>): void {
  set(runs.map((run) => (run.id === id ? { ...run, ...next(run) } : run)));
}

function set(next: readonly Run[]): void {
  runs = next;
  keep();
  for (const listener of listeners) listener();
}

function watch(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

let isKeeping = false;

/** Keeps what is over for a reload of this tab; what is large loses its messages, then its result. */
function keep(): void {
  if (isKeeping) return;
  isKeeping = true;
  setTimeout(() => {
    isKeeping = false;
    let size = 0;
    const kept = runs
      .filter((run) => run.state !== "running")
      .flatMap((run) => {
        const whole = JSON.stringify(run);
        const text =
          whole.length <= MAX_KEPT
            ? whole
            : JSON.stringify({ ...run, wire: [], result: undefined });
        size += text.length;
        return size <= MAX_KEPT_ALL && text.length <= MAX_KEPT ? [text] : [];
      });
    try {
      sessionStorage.setItem(KEPT, `[${kept.join(",")}]`);
    } catch {
      // A browser without room keeps them until the page is left.
    }
  }, 300);
}

function restored(): readonly Run[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "[]") as Run[];
  } catch {
    return [];
  }
}
