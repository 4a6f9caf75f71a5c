/** What the address of the records' page says: every filter, and the record that is open. */
import type { Schemas } from "@/api/client";

export type Outcome = Schemas["RecordView"]["outcome"];
export const OUTCOMES: readonly Outcome[] = [
  "ok",
  "tool_error",
  "failed",
  "refused",
  "input_required",
  "cancelled",
];
export const SPANS = { "1h": 3600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000 } as const; // seconds
export type Span = keyof typeof SPANS;

export type RecordsSearch = {
  server?: string;
  tool?: string;
  outcome?: Outcome;
  principal?: string;
  span?: Span;
  slow?: number; // milliseconds
  request?: string;
  record?: string;
};

const TEXTS = ["server", "tool", "principal", "request", "record"] as const;

export function recordsSearch(search: Record<string, unknown>): RecordsSearch {
  const found: RecordsSearch = {};
  for (const name of TEXTS) {
    const value = search[name];
    if ((typeof value === "string" && value) || typeof value === "number")
      found[name] = String(value);
  }
  if (OUTCOMES.includes(search.outcome as Outcome)) found.outcome = search.outcome as Outcome;
  if (typeof search.span === "string" && search.span in SPANS) found.span = search.span as Span;
  if (typeof search.slow === "number" && search.slow > 0) found.slow = search.slow;
  return found;
}
