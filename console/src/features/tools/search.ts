/** What the address of the tools says: what is searched, and the tool that is looked at. */
export type ToolsSearch = { q?: string; server?: string; tool?: string };

export function toolsSearch(search: Record<string, unknown>): ToolsSearch {
  const text = (name: string) => {
    const value = search[name];
    return value === undefined || value === "" ? undefined : String(value);
  };
  return { q: text("q"), server: text("server"), tool: text("tool") };
}
