/** Every server with its health and its calls, and the tools that were called most or failed most. */
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Server } from "@/api/servers";
import type { Statistics } from "@/api/statistics";
import { StatusMark } from "@/components/Badge";
import { cx } from "@/components/cx";
import { type Column, DataTable } from "@/components/DataTable";
import { useFormats } from "@/components/format";
import { Card } from "@/components/Page";

type Called = { calls: number; failed: number; p95_ms: number | null };
type ServerRow = Called & { server: Server };

export function ServerHealth({
  project,
  servers,
  statistics,
}: {
  project: string;
  servers: readonly Server[];
  statistics: Statistics;
}) {
  const { t } = useTranslation("overview");
  const sums = new Map(statistics.servers.map((each) => [each.server, each]));
  const rows = servers.map((server): ServerRow => {
    const sum = sums.get(server.name);
    return {
      server,
      calls: sum?.calls ?? 0,
      failed: sum?.failed ?? 0,
      p95_ms: sum?.p95_ms ?? null,
    };
  });
  const columns: Column<ServerRow>[] = [
    {
      id: "name",
      header: t("server"),
      by: (row) => row.server.name,
      cell: (row) => (
        <Link
          to="/p/$project/servers/$server"
          params={{ project, server: row.server.name }}
          className="font-medium hover:underline"
        >
          {row.server.name}
        </Link>
      ),
    },
    {
      id: "status",
      header: t("status"),
      by: (row) => row.server.status,
      cell: (row) => <StatusMark status={row.server.status} />,
    },
    ...useSums<ServerRow>(),
  ];
  return (
    <Card title={t("health")}>
      <DataTable label={t("health")} rows={rows} columns={columns} idOf={(row) => row.server.id} />
    </Card>
  );
}

type ToolRow = Statistics["tools"][number];

export function ToolRanking({ project, statistics }: { project: string; statistics: Statistics }) {
  const { t } = useTranslation("overview");
  const rows = statistics.tools.slice(0, 12);
  const columns: Column<ToolRow>[] = [
    {
      id: "tool",
      header: t("tool"),
      by: (row) => row.tool,
      cell: (row) => (
        <Link
          to="/p/$project/records"
          params={{ project }}
          search={{ server: row.server, tool: row.tool }}
          className="font-mono text-xs hover:underline"
        >
          {row.tool}
        </Link>
      ),
    },
    ...useSums<ToolRow>(),
  ];
  return (
    <Card title={t("mostCalled")}>
      {rows.length === 0 ? (
        <p className="px-4 py-8 text-center text-muted text-sm">{t("noneCalled")}</p>
      ) : (
        <DataTable
          label={t("mostCalled")}
          rows={rows}
          columns={columns}
          idOf={(row) => `${row.server} ${row.tool}`}
        />
      )}
    </Card>
  );
}

function useSums<Row extends Called>(): Column<Row>[] {
  const { t } = useTranslation("overview");
  const { number, percent, duration } = useFormats();
  return [
    {
      id: "calls",
      header: t("calls"),
      kind: "number",
      by: (row) => row.calls,
      cell: (row) => number(row.calls),
    },
    {
      id: "errors",
      header: t("errors"),
      kind: "number",
      by: (row) => (row.calls > 0 ? row.failed / row.calls : -1),
      cell: (row) => (
        <span className={cx(row.failed > 0 ? "text-bad" : "text-muted")}>
          {row.calls > 0 ? percent(row.failed / row.calls) : "–"}
        </span>
      ),
    },
    {
      id: "latency",
      header: "p95",
      kind: "wide-number",
      by: (row) => row.p95_ms ?? -1,
      cell: (row) => (row.p95_ms === null ? "–" : duration(row.p95_ms)),
    },
  ];
}
