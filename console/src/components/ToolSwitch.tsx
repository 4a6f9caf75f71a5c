/** Switches one tool off or on for everybody: shown at once, and taken back by undo. */
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api } from "@/api/client";
import { useIsOwner } from "@/api/me";
import type { Tool } from "@/api/servers";
import { Switch } from "./Field";
import { complain, say } from "./Toasts";

export function ToolSwitch({ project, tool }: { project: string; tool: Tool }) {
  const { t } = useTranslation("tools");
  const { t: common } = useTranslation("common");
  const isOwner = useIsOwner();
  const turn = useTurn(project);
  const pattern = tool.disabled_by === tool.own_name ? undefined : tool.disabled_by;
  return (
    <Switch
      isHidden
      label={t("switch.label", { name: tool.exposed_name })}
      checked={tool.enabled}
      barred={(!isOwner && common("ownersOnly")) || (pattern && t("switch.byPattern", { pattern }))}
      onChange={(isOn) => turn(tool, isOn)}
    />
  );
}

function useTurn(project: string) {
  const { t } = useTranslation("tools");
  const client = useQueryClient();
  const turn = async (tool: Tool, isOn: boolean, isUndo = false): Promise<void> => {
    const { server, own_name: name } = tool;
    await mark(client, project, tool, isOn);
    try {
      await api.PUT("/api/v1/projects/{project}/servers/{server}/tools/{tool}", {
        params: { path: { project, server, tool: name } },
        body: { enabled: isOn },
      });
      const text = isOn
        ? t("switch.on", { name: tool.exposed_name })
        : t("switch.off", { name: tool.exposed_name });
      say(text, isUndo ? undefined : () => turn(tool, !isOn, true));
    } catch (failure) {
      complain(failure);
    }
    await Promise.all(
      ["tools", "servers"].map((kind) =>
        client.invalidateQueries({ queryKey: ["project", project, kind] }),
      ),
    );
  };
  return turn;
}

/** Shows a tool as it is about to be, in every list of tools that has it with its state. */
async function mark(client: QueryClient, project: string, tool: Tool, isOn: boolean) {
  const lists = {
    predicate: ({ queryKey: [, of, kind, , part] }: { queryKey: readonly unknown[] }) =>
      of === project && (kind === "tools" || (kind === "servers" && part === "tools")),
  };
  // An answer that is under way would show it as it was.
  await client.cancelQueries(lists);
  client.setQueriesData<Tool[]>(lists, (all) =>
    all?.map((each) =>
      each.server === tool.server && each.own_name === tool.own_name
        ? { ...each, enabled: isOn, disabled_by: isOn ? undefined : each.own_name }
        : each,
    ),
  );
}
