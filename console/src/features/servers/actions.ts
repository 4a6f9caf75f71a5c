/** What can be done with a server: shown at once, taken back where that is possible. */
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, brought, proof } from "@/api/client";
import { leaving, type Server, serversQuery } from "@/api/servers";
import { soon } from "@/components/deferred";
import { complain, say } from "@/components/Toasts";

export function useServerActions(project: string) {
  const { t } = useTranslation("servers");
  const client = useQueryClient();

  const toggle = async (server: Server, isOn: boolean, isUndo = false) => {
    const params = { path: { project, server: server.id } };
    patch(client, project, server.id, {
      disabled: !isOn,
      status: isOn ? "starting" : "disabled",
      last_error: null,
    });
    try {
      const path = isOn ? "enable" : "disable";
      await api.POST(`/api/v1/projects/{project}/servers/{server}/${path}`, { params });
      const text = isOn
        ? t("enabled", { name: server.name })
        : t("disabled", { name: server.name });
      say(text, isUndo ? undefined : () => toggle(server, !isOn, true));
    } catch (failure) {
      complain(failure);
    }
    await refresh(client, project);
  };

  const restart = async (server: Server) => {
    patch(client, project, server.id, { status: "starting" });
    try {
      const params = { path: { project, server: server.id } };
      await api.POST("/api/v1/projects/{project}/servers/{server}/restart", { params });
      say(t("restarted", { name: server.name }));
    } catch (failure) {
      complain(failure);
    }
    await refresh(client, project);
  };

  const remove = (server: Server) => {
    leaving.add(server.id);
    const list = serversQuery(project).queryKey;
    client.setQueryData(list, (all) => all?.filter((each) => each.id !== server.id));
    const stay = soon(() => {
      // The page may be about to close: the request must outlive it.
      const path = `/api/v1/projects/${encodeURIComponent(project)}/servers/${server.id}`;
      fetch(path, { method: "DELETE", headers: proof(), keepalive: true })
        .catch(complain)
        .finally(() => leaving.delete(server.id));
    });
    say(t("deleted", { name: server.name }), () => {
      stay();
      leaving.delete(server.id);
      refresh(client, project);
    });
  };

  return { toggle, restart, remove };
}

/** Tries a server as it was written, without registering it; `like` is the one whose secrets stay. */
export function tryServer(project: string, body: object, like?: string) {
  return brought(
    api.POST("/api/v1/projects/{project}/servers/test", {
      params: { path: { project }, query: { like } },
      body: body as never,
    }),
  );
}

export async function saveServer(
  client: QueryClient,
  project: string,
  body: object,
  server?: Server,
): Promise<Server> {
  const path = { project, server: server?.id ?? "" };
  const saved = server
    ? api.PATCH("/api/v1/projects/{project}/servers/{server}", {
        params: { path },
        body: body as never,
      })
    : api.POST("/api/v1/projects/{project}/servers", { params: { path }, body: body as never });
  const view = await brought(saved);
  await refresh(client, project);
  return view;
}

function refresh(client: QueryClient, project: string): Promise<void> {
  return client.invalidateQueries({ queryKey: ["project", project, "servers"] });
}

function patch(client: QueryClient, project: string, id: string, changes: Partial<Server>): void {
  client.setQueryData(serversQuery(project).queryKey, (all) =>
    all?.map((each) => (each.id === id ? { ...each, ...changes } : each)),
  );
}
