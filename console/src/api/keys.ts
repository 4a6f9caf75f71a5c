/** The API keys of a project. */
import { queryOptions } from "@tanstack/react-query";
import { api, brought, type Schemas } from "./client";

export type Key = Schemas["KeyView"];
export type Role = Schemas["Role"];

export const ROLES: readonly Role[] = ["developer", "reporter", "owner"];

export const keysQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "keys"],
    queryFn: () =>
      brought(api.GET("/api/v1/projects/{project}/keys", { params: { path: { project } } })),
  });

/** Makes a key; the secret is told only now. */
export function makeKey(project: string, body: Schemas["NewKey"]): Promise<Schemas["CreatedKey"]> {
  const params = { path: { project } };
  return brought(api.POST("/api/v1/projects/{project}/keys", { params, body }));
}
