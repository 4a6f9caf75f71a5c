/** What the address of the tools says: what is searched, and the tool that is looked at. */
export const STATES = ["on", "off"] as const;
export type ToolState = (typeof STATES)[number];
export type ToolsSearch = { q?: string; server?: string; state?: ToolState; tool?: string };

export function toolsSearch(search: Record<string, unknown>): ToolsSearch {
  const text = (name: string) => {
    const value = search[name];
    return value === undefined || value === "" ? undefined : String(value);
  };
  const state = STATES.find((each) => each === search.state);
  return { q: text("q"), server: text("server"), state, tool: text("tool") };
}
