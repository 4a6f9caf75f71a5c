/** What the addresses of the servers' pages say. */
import type { ServerStatus } from "@/api/servers";

const STATUSES: readonly ServerStatus[] = ["ok", "starting", "stale", "failed", "disabled"];
export const TABS = ["tools", "resources", "prompts", "logs", "setup"] as const;
export type Tab = (typeof TABS)[number];

export type ServersSearch = {
  q?: string;
  status?: ServerStatus;
  dialog?: "add" | "import";
  /** The name of the server that is being changed. */
  edit?: string;
};

export function serversSearch(search: Record<string, unknown>): ServersSearch {
  const { q, status, dialog, edit } = search;
  return {
    ...(typeof q === "string" && q ? { q } : {}),
    ...(STATUSES.includes(status as ServerStatus) ? { status: status as ServerStatus } : {}),
    ...(dialog === "add" || dialog === "import" ? { dialog } : {}),
    ...(typeof edit === "string" || typeof edit === "number" ? { edit: String(edit) } : {}),
  };
}

export type ServerSearch = { tab?: Tab; edit?: true };

export function serverSearch(search: Record<string, unknown>): ServerSearch {
  const { tab, edit } = search;
  return {
    ...(TABS.includes(tab as Tab) ? { tab: tab as Tab } : {}),
    ...(edit === true ? { edit } : {}),
  };
}
