/** All projects that the caller sees: made, changed, deleted. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Pencil, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/api/client";
import { meQuery } from "@/api/me";
import { type Project, projectsQuery } from "@/api/projects";
import { serversQuery } from "@/api/servers";
import { Badge } from "@/components/Badge";
import { Button, IconButton } from "@/components/Button";
import { type Column, DataTable } from "@/components/DataTable";
import { Confirm } from "@/components/Dialog";
import { useFormats } from "@/components/format";
import { Card, Failure, Page, SkeletonRows } from "@/components/Page";
import { complain, say } from "@/components/Toasts";
import { ProjectDialog } from "./ProjectDialog";
import type { ProjectsSearch } from "./search";

const route = getRouteApi("/inside/projects");
const DEFAULT = "default";

export function ProjectsPage() {
  const { t } = useTranslation("projects");
  const search = route.useSearch();
  const navigate = useNavigate();
  const { data: me } = useQuery(meQuery);
  const { data, error, refetch } = useQuery(projectsQuery);
  const [leaving, setLeaving] = useState<Project | null>(null);
  const go = (next: ProjectsSearch) => navigate({ to: "/projects", search: next });
  const edited = data?.find((each) => each.name === search.edit);
  return (
    <Page
      title={t("title")}
      note={t("note")}
      actions={
        <Button
          kind="primary"
          barred={me?.is_admin ? undefined : t("adminsOnly")}
          onClick={() => go({ dialog: "new" })}
        >
          <Plus aria-hidden className="size-4" />
          {t("new")}
        </Button>
      }
    >
      {error && !data ? (
        <Failure error={error} retry={refetch} />
      ) : (
        <Card>
          {data ? (
            <ProjectsTable
              projects={data}
              onEdit={(project) => go({ edit: project.name })}
              onDelete={setLeaving}
            />
          ) : (
            <SkeletonRows rows={3} />
          )}
        </Card>
      )}
      <ProjectDialog
        key={edited?.id ?? "new"}
        project={edited}
        isOpen={search.dialog === "new" || edited !== undefined}
        onClose={() => go({})}
      />
      {leaving && <Deletion project={leaving} onClose={() => setLeaving(null)} />}
    </Page>
  );
}

type TableProps = {
  projects: readonly Project[];
  onEdit: (project: Project) => void;
  onDelete: (project: Project) => void;
};

function ProjectsTable({ projects, onEdit, onDelete }: TableProps) {
  const { t } = useTranslation("projects");
  const { t: common } = useTranslation("common");
  const { day, number } = useFormats();
  const columns: Column<Project>[] = [
    {
      id: "name",
      header: t("name"),
      by: (project) => project.name,
      cell: (project) => (
        <span className="flex items-center gap-2">
          <Link
            to="/p/$project/servers"
            params={{ project: project.name }}
            className="font-medium hover:underline"
          >
            {project.name}
          </Link>
          {project.open && <Badge tone="warn">{t("open")}</Badge>}
        </span>
      ),
    },
    {
      id: "naming",
      header: t("naming"),
      kind: "wide",
      cell: (project) => t(`namings.${project.naming}`),
    },
    {
      id: "limit",
      header: common("rate.calls"),
      kind: "wide",
      cell: (project) =>
        project.rate_limit ? (
          t(`rates.${project.rate_limit.per}`, { calls: number(project.rate_limit.calls) })
        ) : (
          <span className="text-muted">{common("none")}</span>
        ),
    },
    {
      id: "created",
      header: t("created"),
      kind: "wide",
      by: (project) => project.created_at,
      cell: (project) => day(project.created_at),
    },
    {
      id: "actions",
      header: common("actions"),
      isSilent: true,
      kind: "number",
      cell: (project) => (
        <span className="inline-flex">
          <IconButton label={t("edit", { name: project.name })} onClick={() => onEdit(project)}>
            <Pencil aria-hidden className="size-4" />
          </IconButton>
          <IconButton
            label={t("delete", { name: project.name })}
            barred={project.name === DEFAULT && t("keepDefault")}
            onClick={() => onDelete(project)}
          >
            <Trash2 aria-hidden className="size-4" />
          </IconButton>
        </span>
      ),
    },
  ];
  return (
    <DataTable label={t("title")} rows={projects} columns={columns} idOf={(each) => each.id} />
  );
}

function Deletion({ project, onClose }: { project: Project; onClose: () => void }) {
  const { t } = useTranslation("projects");
  const client = useQueryClient();
  const { data: servers } = useQuery(serversQuery(project.name));
  const [isBusy, setBusy] = useState(false);
  const confirm = async () => {
    setBusy(true);
    try {
      const params = { path: { project: project.name } };
      await api.DELETE("/api/v1/projects/{project}", { params });
      say(t("deleted", { name: project.name }));
    } catch (failure) {
      complain(failure);
    }
    await client.invalidateQueries({ queryKey: projectsQuery.queryKey });
    onClose();
  };
  return (
    <Confirm
      isOpen
      onClose={onClose}
      onConfirm={confirm}
      busy={isBusy}
      title={t("deleteTitle", { name: project.name })}
      action={t("deleteAction")}
    >
      <p>{t("deleteNote", { name: project.name, count: servers?.length ?? 0 })}</p>
      {servers && servers.length > 0 && (
        <p className="mt-2 font-mono text-sm">{servers.map((each) => each.name).join(", ")}</p>
      )}
    </Confirm>
  );
}
