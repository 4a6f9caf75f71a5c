/** The projects that the caller sees. */
import { queryOptions } from "@tanstack/react-query";
import { api, brought, type Schemas } from "./client";

export type Project = Schemas["ProjectView"];

export const projectsQuery = queryOptions({
  queryKey: ["projects"],
  queryFn: () => brought(api.GET("/api/v1/projects")),
});
