/** What the address of the playground says. */
export type PlaygroundSearch = { tool?: string; mode?: "json"; view?: "raw" };

export function playgroundSearch(search: Record<string, unknown>): PlaygroundSearch {
  return {
    ...(typeof search.tool === "string" ? { tool: search.tool } : {}),
    ...(search.mode === "json" ? { mode: "json" as const } : {}),
    ...(search.view === "raw" ? { view: "raw" as const } : {}),
  };
}
