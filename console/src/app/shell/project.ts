/** The project that the page is about. */
import { useParams } from "@tanstack/react-router";
import { lastProject } from "../lastProject";

/** The project of the address, or the one looked at last. */
export function useProject(): string {
  const { project } = useParams({ strict: false });
  return project ?? lastProject() ?? "default";
}
