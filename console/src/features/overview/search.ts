/** What the address of the overview says: the span of time. */
import { SPANS, type Span } from "@/api/statistics";

export type OverviewSearch = { span?: Span };

export function overviewSearch(search: Record<string, unknown>): OverviewSearch {
  const span = Object.keys(SPANS).find((each) => each === search.span && each !== "1h");
  return { span: span as Span | undefined };
}
