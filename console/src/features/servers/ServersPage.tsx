/** The servers of a project: how they are, and adding, changing and removing them. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { FileJson2, Plus, Server as ServerIcon } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useIsOwner } from "@/api/me";
import { type Server, type ServerStatus, serversQuery } from "@/api/servers";
import { Badge, StatusMark } from "@/components/Badge";
import { Button } from "@/components/Button";
import { type Column, DataTable } from "@/components/DataTable";
import { SearchInput, Select } from "@/components/Field";
import { useFormats } from "@/components/format";
import { Card, Empty, Failure, Page, SkeletonRows } from "@/components/Page";
import { ImportDialog } from "./ImportDialog";
import { ServerDialog } from "./ServerDialog";
import { ServerMenu } from "./ServerMenu";
import type { ServersSearch } from "./search";

const route = getRouteApi("/inside/p/$project/servers");
const STATUSES: readonly ServerStatus[] = ["ok", "starting", "stale", "failed", "disabled"];

export function ServersPage() {
  const { t } = useTranslation("servers");
  const { project } = route.useParams();
  const search = route.useSearch();
  const navigate = useNavigate();
  const isOwner = useIsOwner();
  const { data, error, refetch } = useQuery(serversQuery(project));
  const go = (changes: Partial<ServersSearch>, replace = false) =>
    navigate({
      to: "/p/$project/servers",
      params: { project },
      search: { ...search, ...changes },
      replace,
    });
  const close = () => go({ dialog: undefined, edit: undefined });
  const bar = isOwner ? undefined : t("ownersOnly", { ns: "common" });
  const edited = data?.find((each) => each.name === search.edit);
  return (
    <Page
      title={t("title")}
      note={t("note")}
      actions={
        <>
          <Button barred={bar} onClick={() => go({ dialog: "import" })}>
            <FileJson2 aria-hidden className="size-4" />
            {t("import.open")}
          </Button>
          <Button kind="primary" barred={bar} onClick={() => go({ dialog: "add" })}>
            <Plus aria-hidden className="size-4" />
            {t("add")}
          </Button>
        </>
      }
    >
      {error && !data ? (
        <Failure error={error} retry={refetch} />
      ) : data?.length === 0 ? (
        <Card>
          <Empty
            icon={ServerIcon}
            title={t("empty.title")}
            actions={
              <Button kind="primary" barred={bar} onClick={() => go({ dialog: "import" })}>
                {t("import.open")}
              </Button>
            }
          >
            {t("empty.next")}
          </Empty>
        </Card>
      ) : (
        <>
          <div className="flex flex-wrap items-center gap-2">
            <SearchInput
              className="w-full sm:w-72"
              placeholder={t("search")}
              value={search.q ?? ""}
              onChange={(event) => go({ q: event.target.value || undefined }, true)}
            />
            <Select
              className="w-44"
              label={t("status")}
              value={search.status ?? "any"}
              onChange={(value) =>
                go({ status: value === "any" ? undefined : (value as ServerStatus) }, true)
              }
              options={[
                { value: "any", label: t("anyStatus") },
                ...STATUSES.map((value) => ({
                  value,
                  label: t(`status.${value}`, { ns: "common" }),
                })),
              ]}
            />
            {data && <Totals servers={data} />}
          </div>
          <Card>
            {data ? (
              <ServersTable project={project} servers={data} search={search} />
            ) : (
              <SkeletonRows />
            )}
          </Card>
        </>
      )}
      <ImportDialog project={project} isOpen={search.dialog === "import"} onClose={close} />
      <ServerDialog
        key={edited?.id ?? "new"}
        project={project}
        server={edited}
        isOpen={search.dialog === "add" || edited !== undefined}
        onClose={close}
      />
    </Page>
  );
}

function Totals({ servers }: { servers: readonly Server[] }) {
  const { t } = useTranslation("servers");
  const running = servers.filter((each) => each.status === "ok").length;
  return (
    <p className="ml-auto text-muted text-sm" role="status">
      {t("totals", { running, all: servers.length })}
    </p>
  );
}

type TableProps = { project: string; servers: readonly Server[]; search: ServersSearch };

function ServersTable({ project, servers, search }: TableProps) {
  const { t } = useTranslation("servers");
  const navigate = useNavigate();
  const columns = useColumns(project);
  const asked = (search.q ?? "").toLowerCase();
  const shown = servers.filter(
    (each) =>
      (!search.status || each.status === search.status) &&
      `${each.name} ${each.description}`.toLowerCase().includes(asked),
  );
  if (shown.length === 0) {
    return <p className="px-4 py-10 text-center text-muted">{t("nothingFits")}</p>;
  }
  return (
    <DataTable
      label={t("title")}
      rows={shown}
      columns={columns}
      idOf={(row) => row.id}
      onOpen={(row) =>
        navigate({ to: "/p/$project/servers/$server", params: { project, server: row.name } })
      }
    />
  );
}

function useColumns(project: string): Column<Server>[] {
  const { t } = useTranslation("servers");
  const { t: common } = useTranslation("common");
  const { duration } = useFormats();
  return [
    {
      id: "name",
      header: t("name"),
      by: (row) => row.name.toLowerCase(),
      cell: (row) => <NameCell project={project} server={row} />,
    },
    {
      id: "status",
      header: t("status"),
      by: (row) => STATUSES.indexOf(row.status),
      cell: (row) => <StatusMark status={row.status} />,
    },
    {
      id: "transport",
      header: t("transport"),
      kind: "wide",
      by: (row) => row.transport,
      cell: (row) => <Badge>{t(`transports.${row.transport}`)}</Badge>,
    },
    {
      id: "era",
      header: t("era"),
      kind: "wide",
      cell: (row) => <Eras eras={row.eras} />,
    },
    {
      id: "tools",
      header: t("tools"),
      kind: "wide-number",
      by: (row) => row.tool_count,
      cell: (row) => row.tool_count,
    },
    {
      id: "response",
      header: t("response"),
      kind: "wide-number",
      by: (row) => row.response_ms ?? Number.MAX_VALUE,
      cell: (row) =>
        row.response_ms === null ? <Dash /> : <span>{duration(row.response_ms)}</span>,
    },
    {
      id: "menu",
      header: common("actions"),
      isSilent: true,
      kind: "number",
      className: "w-12",
      cell: (row) => <ServerMenu project={project} server={row} />,
    },
  ];
}

function NameCell({ project, server }: { project: string; server: Server }) {
  const trouble = server.status === "ok" || server.status === "disabled" ? null : server.last_error;
  return (
    <div className="min-w-0 max-w-md">
      <Link
        to="/p/$project/servers/$server"
        params={{ project, server: server.name }}
        className="font-medium hover:underline"
      >
        {server.name}
      </Link>
      {(trouble || server.description) && (
        <p
          className={trouble ? "line-clamp-1 text-bad text-xs" : "line-clamp-1 text-muted text-xs"}
        >
          {trouble ?? server.description}
        </p>
      )}
    </div>
  );
}

/** Which eras of the protocol a server speaks. */
export function Eras({ eras }: { eras: readonly string[] }) {
  const { t } = useTranslation("servers");
  if (eras.length === 0) return <Dash />;
  return (
    <span className="inline-flex gap-1">
      {eras.map((era) => (
        <Badge key={era} tone={era === "modern" ? "accent" : "neutral"}>
          {t(`eras.${era}`)}
        </Badge>
      ))}
    </span>
  );
}

function Dash() {
  return <span className="text-muted">{"–"}</span>;
}
