/** Reading records: pages of a list, one alone, and the address of a file of them. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, brought } from "@/api/client";
import { type RecordsSearch, SPANS } from "./search";

const PAGE = 100;

/** The filters as the API takes them. */
export function filtersOf(search: RecordsSearch) {
  const since = search.span && new Date(Date.now() - SPANS[search.span] * 1000).toISOString();
  return {
    server: search.server,
    tool: search.tool,
    outcome: search.outcome,
    principal: search.principal,
    request_id: search.request,
    min_ms: search.slow,
    since,
  };
}

export function recordsQuery(project: string, search: RecordsSearch) {
  const { record: _, ...filters } = search;
  return infiniteQueryOptions({
    queryKey: ["project", project, "records", "list", filters],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      brought(
        api.GET("/api/v1/projects/{project}/records", {
          params: {
            path: { project },
            query: { ...filtersOf(filters), limit: PAGE, cursor: pageParam },
          },
        }),
      ),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
}

export const recordQuery = (project: string, id: string) =>
  queryOptions({
    queryKey: ["project", project, "record", id],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () =>
      brought(
        api.GET("/api/v1/projects/{project}/records/{record_id}", {
          params: { path: { project, record_id: id } },
        }),
      ),
  });

/** Where the browser downloads what is filtered. */
export function exportAddress(project: string, search: RecordsSearch, format: "csv" | "jsonl") {
  const filters = Object.entries({ ...filtersOf(search), format }).filter(([, value]) => value);
  const query = new URLSearchParams(filters.map(([name, value]) => [name, String(value)]));
  return `/api/v1/projects/${encodeURIComponent(project)}/records/export?${query}`;
}
