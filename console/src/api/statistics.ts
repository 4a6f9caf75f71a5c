/** How a project's calls went, and when it is worth asking again. */
import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api, brought, type Schemas } from "./client";

export type Statistics = Schemas["StatisticsView"];
export type Sum = Schemas["SumView"];

/** The spans of time that pages offer, with the length of their steps; all in seconds. */
export const SPANS = {
  "1h": { length: 3600, step: 60 },
  "24h": { length: 24 * 3600, step: 900 },
  "7d": { length: 7 * 24 * 3600, step: 3600 },
  "30d": { length: 30 * 24 * 3600, step: 4 * 3600 },
} as const;
export type Span = keyof typeof SPANS;

export const statisticsQuery = (project: string, span: Span) =>
  queryOptions({
    queryKey: ["statistics", project, span],
    queryFn: () => {
      const { length, step } = SPANS[span];
      // Steps begin at even times, so that a picture does not tremble when it is drawn anew.
      const until = Math.ceil(Date.now() / 1000 / step) * step;
      const query = { since: iso(until - length), until: iso(until), step };
      const params = { path: { project }, query };
      return brought(api.GET("/api/v1/projects/{project}/statistics", { params }));
    },
  });

const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

/** Calls `act` after new records were written, at most once in `pace` milliseconds. */
export function useNewRecords(project: string, pace: number, act: () => void): void {
  const client = useQueryClient();
  const last = useRef(act);
  last.current = act;
  // Nothing is fetched: the stream of changes makes this query stale, and that is the news.
  const { dataUpdatedAt } = useQuery({
    queryKey: ["project", project, "records", "news"],
    queryFn: () => Date.now(),
    initialData: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const begun = useRef(dataUpdatedAt);
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each news counts.
  useEffect(() => {
    if (dataUpdatedAt === begun.current || waiting.current !== undefined) return;
    waiting.current = setTimeout(() => {
      waiting.current = undefined;
      last.current();
    }, pace);
  }, [dataUpdatedAt, client, pace]);
  useEffect(
    () => () => {
      clearTimeout(waiting.current);
      waiting.current = undefined;
    },
    [],
  );
}
