/** What the address of the page of connections says. */
export type ConnectSearch = { client?: string; each?: true };

export function connectSearch(search: Record<string, unknown>): ConnectSearch {
  return {
    ...(typeof search.client === "string" ? { client: search.client } : {}),
    ...(search.each === true ? { each: true as const } : {}),
  };
}
