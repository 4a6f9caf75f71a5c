/** The calls made here lately, kept for as long as the tab is open. */
import { useSyncExternalStore } from "react";
import type { JSONObject } from "./mcp";

export type Invocation = {
  id: string;
  project: string;
  tool: string;
  args: JSONObject;
  time: string;
  status: "ok" | "tool_error" | "failed" | "cancelled";
  ms: number;
  requestId: string;
};

const KEPT = "interlock.playground";
const LIMIT = 50;
const listeners = new Set<() => void>();
let all: readonly Invocation[] = read();

/** Notes a call, the newest first. */
export function note(invocation: Omit<Invocation, "id">): void {
  all = [{ ...invocation, id: crypto.randomUUID() }, ...all].slice(0, LIMIT);
  sessionStorage.setItem(KEPT, JSON.stringify(all));
  for (const listener of listeners) listener();
}

export function useHistory(project: string): Invocation[] {
  const kept = useSyncExternalStore(subscribe, () => all);
  return kept.filter((each) => each.project === project);
}

function read(): Invocation[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "[]") as Invocation[];
  } catch {
    return [];
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
