/** What the address of the playground says: the tool, the call that is looked at, and how. */

const SHOWS = ["result", "messages", "activity"] as const;
export type Show = (typeof SHOWS)[number];
export type PlaygroundSearch = {
  tool?: string;
  server?: string;
  run?: string;
  show?: Show;
  as?: "json";
  era?: "legacy";
};

export function playgroundSearch(search: Record<string, unknown>): PlaygroundSearch {
  const text = (name: string) => {
    const value = search[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  return {
    tool: text("tool"),
    server: text("server"),
    run: text("run"),
    show: SHOWS.find((each) => each === search.show && each !== "result"),
    as: search.as === "json" ? "json" : undefined,
    era: search.era === "legacy" ? "legacy" : undefined,
  };
}
