/** What the address of the projects' page says. */
export type ProjectsSearch = { dialog?: "new"; edit?: string };

export function projectsSearch(search: Record<string, unknown>): ProjectsSearch {
  return {
    ...(search.dialog === "new" ? { dialog: "new" as const } : {}),
    ...(typeof search.edit === "string" || typeof search.edit === "number"
      ? { edit: String(search.edit) }
      : {}),
  };
}
