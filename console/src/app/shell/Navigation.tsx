/** The project, and the places in it. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useRouterState } from "@tanstack/react-router";
import { Check, ChevronsUpDown, FolderKanban } from "lucide-react";
import { useTranslation } from "react-i18next";
import { projectsQuery } from "@/api/projects";
import { cx } from "@/components/cx";
import { Menu, MenuItem, MenuLine } from "@/components/Menu";
import { COMMON_PLACES, PROJECT_PLACES } from "./places";
import { useProject } from "./project";

const place =
  "flex h-8 items-center gap-2.5 rounded-md px-2.5 text-sm font-medium text-muted transition-colors hover:bg-hover hover:text-ink aria-[current=page]:bg-accent-soft aria-[current=page]:text-accent max-lg:h-10";

export function Navigation() {
  const { t } = useTranslation("shell");
  const project = useProject();
  return (
    <nav
      aria-label={t("navigation")}
      className="flex min-h-0 flex-1 flex-col gap-3 overflow-y-auto px-3 pb-3"
    >
      <ProjectSwitcher />
      <ul className="flex flex-col gap-0.5">
        {PROJECT_PLACES.map(({ to, word, icon: Icon }) => (
          <li key={to}>
            <Link to={to} params={{ project }} className={place}>
              <Icon aria-hidden className="size-4 shrink-0" />
              {t(`places.${word}`)}
            </Link>
          </li>
        ))}
      </ul>
      <ul className="mt-auto flex flex-col gap-0.5">
        {COMMON_PLACES.map(({ to, word, icon: Icon }) => (
          <li key={to}>
            <Link to={to} className={place}>
              <Icon aria-hidden className="size-4 shrink-0" />
              {t(`places.${word}`)}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function ProjectSwitcher() {
  const { t } = useTranslation("shell");
  const project = useProject();
  const navigate = useNavigate();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const { data: projects = [] } = useQuery(projectsQuery);
  const current = PROJECT_PLACES.find(({ to }) => path.startsWith(to.replace("$project", project)));
  const open = (name: string) =>
    navigate({ to: current?.to ?? "/p/$project/servers", params: { project: name } });
  return (
    <Menu
      align="start"
      trigger={
        <button
          type="button"
          className="flex h-9 w-full items-center gap-2 rounded-md border px-2.5 text-left hover:bg-hover"
        >
          <span
            aria-hidden
            className="grid size-5 shrink-0 place-items-center rounded-sm bg-accent-soft font-semibold text-accent text-xs"
          >
            {project.slice(0, 1).toUpperCase()}
          </span>
          <span className="truncate font-medium text-sm">
            <span className="sr-only">{t("project")} </span>
            {project}
          </span>
          <ChevronsUpDown aria-hidden className="ml-auto size-4 shrink-0 text-muted" />
        </button>
      }
    >
      {projects.map((each) => (
        <MenuItem key={each.id} onSelect={() => open(each.name)}>
          <Check aria-hidden className={cx("size-4", each.name !== project && "invisible")} />
          <span className="truncate">{each.name}</span>
        </MenuItem>
      ))}
      <MenuLine />
      <MenuItem icon={FolderKanban} onSelect={() => navigate({ to: "/projects" })}>
        {t("manageProjects")}
      </MenuItem>
    </Menu>
  );
}
