/** What the address of the records says: the filters, and the record that is looked at. */
import { SPANS, type Span } from "@/api/statistics";

export const OUTCOMES = [
  "ok",
  "refused",
  "failed",
  "tool_error",
  "input_required",
  "cancelled",
] as const;
export type Outcome = (typeof OUTCOMES)[number];

export type RecordsSearch = {
  server?: string;
  tool?: string;
  method?: string;
  outcome?: Outcome;
  principal?: string;
  era?: "modern" | "legacy";
  span?: Span;
  min_ms?: number;
  request_id?: string;
  record?: string;
};

/** The filters that are texts. */
export const TEXTS = ["server", "tool", "method", "principal", "request_id"] as const;

export function recordsSearch(search: Record<string, unknown>): RecordsSearch {
  const text = (name: string) => {
    const value = search[name];
    // Addresses written by hand hold numbers where a text is meant.
    const written = typeof value === "number" ? String(value) : value;
    return typeof written === "string" && written !== "" ? written : undefined;
  };
  const least = Number(search.min_ms);
  return {
    server: text("server"),
    tool: text("tool"),
    method: text("method"),
    outcome: OUTCOMES.find((each) => each === search.outcome),
    principal: text("principal"),
    era: search.era === "modern" || search.era === "legacy" ? search.era : undefined,
    span: Object.keys(SPANS).find((each) => each === search.span) as Span | undefined,
    min_ms: least > 0 ? least : undefined,
    request_id: text("request_id"),
    record: text("record"),
  };
}

/** The filters as the API takes them. */
export function queryOf({ span, record: _record, ...rest }: RecordsSearch) {
  const since = span && new Date(Date.now() - SPANS[span].length * 1000).toISOString();
  return { ...rest, since };
}

/** How many filters are set. */
export function countOf({ record: _record, ...filters }: RecordsSearch): number {
  return Object.values(filters).filter((each) => each !== undefined).length;
}
