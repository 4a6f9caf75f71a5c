/** The servers of a project, as every page reads them. */
import { queryOptions } from "@tanstack/react-query";
import { api, brought, type Schemas } from "./client";

export type Server = Schemas["ServerView"];
export type ServerStatus = Server["status"];

/** Servers that are about to be deleted, and are shown no more. */
export const leaving = new Set<string>();

export const serversQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "servers", "list"],
    queryFn: async () => {
      const params = { path: { project } };
      const found = await brought(api.GET("/api/v1/projects/{project}/servers", { params }));
      return found.filter((server) => !leaving.has(server.id));
    },
  });

export type Tool = {
  name: string;
  exposed_name: string;
  /** The server's own name of it. */
  own_name: string;
  server: string;
  enabled: boolean;
  /** What switches it off: a pattern, or its own name. */
  disabled_by?: string;
  title?: string;
  description?: string;
  inputSchema?: Record<string, unknown>;
  outputSchema?: Record<string, unknown>;
  annotations?: Record<string, unknown>;
};

/** All tools of a project under the names that clients see. */
export const toolsQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "tools"],
    queryFn: async () => {
      const params = { path: { project } };
      const answer = await brought(api.GET("/api/v1/projects/{project}/tools", { params }));
      return answer.tools as Tool[];
    },
  });

/** The same with those that are switched off, which no client sees. */
export const allToolsQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "tools", "all"],
    queryFn: async () => {
      const params = { path: { project }, query: { include_disabled: true } };
      const answer = await brought(api.GET("/api/v1/projects/{project}/tools", { params }));
      return answer.tools as Tool[];
    },
  });
