/** Live updates: what the gateway tells of changes makes the pages read anew. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

const GATHER = 250; // milliseconds in which several changes become one reading

/** Reads what changed in a project, for as long as its pages are shown. */
export function useLive(project: string): void {
  const client = useQueryClient();
  useEffect(() => {
    const source = new EventSource(`/api/v1/projects/${encodeURIComponent(project)}/events`);
    const waiting = new Map<string, ReturnType<typeof setTimeout>>();
    const refresh = (kind: string) => {
      if (waiting.has(kind)) return;
      const read = () => {
        waiting.delete(kind);
        client.invalidateQueries({ queryKey: ["project", project, kind] });
      };
      waiting.set(kind, setTimeout(read, GATHER));
    };
    source.addEventListener("change", (event) => {
      for (const kind of (event as MessageEvent<string>).data.split(" ")) refresh(kind);
    });
    return () => {
      source.close();
      for (const timer of waiting.values()) clearTimeout(timer);
    };
  }, [client, project]);
}
