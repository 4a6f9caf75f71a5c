/** How the project is: its servers, its calls over time, and what needs a person. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Rocket, SquareTerminal } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { api, brought } from "@/api/client";
import { meQuery } from "@/api/me";
import { type Server, serversQuery } from "@/api/servers";
import {
  SPANS,
  type Span,
  type Statistics,
  statisticsQuery,
  useNewRecords,
} from "@/api/statistics";
import { buttonStyle } from "@/components/Button";
import { cx } from "@/components/cx";
import { useFormats } from "@/components/format";
import { Card, Empty, Failure, Page, Skeleton } from "@/components/Page";
import { Attention } from "./Attention";
import { Charts } from "./Charts";
import { concerns } from "./concerns";
import { ServerHealth, ToolRanking } from "./Rankings";

const route = getRouteApi("/inside/p/$project/overview");
const PACE: Record<Span, number> = { "1h": 2_000, "24h": 10_000, "7d": 30_000, "30d": 60_000 };

export function OverviewPage() {
  const { t } = useTranslation("overview");
  const { project } = route.useParams();
  const { span = "1h" } = route.useSearch();
  const client = useQueryClient();
  const servers = useQuery(serversQuery(project));
  const statistics = useQuery({
    ...statisticsQuery(project, span),
    placeholderData: (known) => known,
  });
  useNewRecords(project, PACE[span], () => {
    client.invalidateQueries({ queryKey: ["statistics", project] });
  });
  const error = servers.error ?? statistics.error;
  return (
    <Page title={t("title")} note={t("note")} actions={<Spans project={project} />}>
      {error && (
        <Failure
          error={error}
          retry={() => {
            servers.refetch();
            statistics.refetch();
          }}
        />
      )}
      {servers.data && statistics.data ? (
        <Whole project={project} servers={servers.data} statistics={statistics.data} span={span} />
      ) : (
        !error && <Waiting />
      )}
    </Page>
  );
}

function Spans({ project }: { project: string }) {
  const { t } = useTranslation("overview");
  return (
    <nav aria-label={t("span")} className="flex rounded-md border bg-surface p-0.5 shadow-raised">
      {(Object.keys(SPANS) as Span[]).map((each) => (
        <Link
          key={each}
          to="/p/$project/overview"
          params={{ project }}
          search={each === "1h" ? {} : { span: each }}
          activeOptions={{ exact: true }}
          className="rounded-sm px-2.5 py-1 font-medium text-muted text-sm hover:text-ink aria-[current=page]:bg-accent-soft aria-[current=page]:text-accent"
        >
          {t(`spans.${each}`)}
        </Link>
      ))}
    </nav>
  );
}

type WholeProps = { project: string; servers: Server[]; statistics: Statistics; span: Span };

function Whole({ project, servers, statistics, span }: WholeProps) {
  const { t } = useTranslation("overview");
  const keys = useKeys(project);
  const found = useMemo(
    () => concerns(servers, statistics, keys, Date.now()),
    [servers, statistics, keys],
  );
  return (
    <>
      <Tiles servers={servers} statistics={statistics} />
      <Attention project={project} found={found} span={span} />
      {statistics.total.calls === 0 ? (
        <Card>
          <Empty
            icon={Rocket}
            title={t("quiet.title")}
            actions={
              <Link
                to="/p/$project/playground"
                params={{ project }}
                className={buttonStyle({ kind: "primary" })}
              >
                <SquareTerminal aria-hidden className="size-4" />
                {t("quiet.action")}
              </Link>
            }
          >
            {t("quiet.next")}
          </Empty>
        </Card>
      ) : (
        <Charts statistics={statistics} span={span} />
      )}
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <ServerHealth project={project} servers={servers} statistics={statistics} />
        <ToolRanking project={project} statistics={statistics} />
      </div>
    </>
  );
}

/** The keys, for those who may see them. */
function useKeys(project: string) {
  const { data: me } = useQuery(meQuery);
  const { data = [] } = useQuery({
    queryKey: ["project", project, "keys"],
    enabled: me?.is_admin === true || me?.role === "owner",
    queryFn: () =>
      brought(api.GET("/api/v1/projects/{project}/keys", { params: { path: { project } } })),
  });
  return data;
}

function Tiles({ servers, statistics }: Pick<WholeProps, "servers" | "statistics">) {
  const { t } = useTranslation("overview");
  const { number, percent, duration } = useFormats();
  const { calls, failed, refused, p50_ms: middle, p95_ms: slow } = statistics.total;
  const wanted = servers.filter((each) => each.status !== "disabled");
  const well = wanted.filter((each) => each.status === "ok").length;
  return (
    <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <Tile name={t("calls")} value={number(calls)} note={t("refused", { count: refused })} />
      <Tile
        name={t("errors")}
        value={calls > 0 ? percent(failed / calls) : "–"}
        note={t("failed", { count: failed })}
        isBad={failed > 0 && failed / calls >= 0.05}
      />
      <Tile
        name={t("latency")}
        value={slow === null ? "–" : duration(slow)}
        note={middle === null ? t("noCalls") : t("middle", { time: duration(middle) })}
      />
      <Tile
        name={t("servers")}
        value={`${number(well)} / ${number(wanted.length)}`}
        note={t("tools", { count: servers.reduce((sum, each) => sum + each.tool_count, 0) })}
        isBad={well < wanted.length}
      />
    </dl>
  );
}

type TileProps = { name: string; value: string; note: string; isBad?: boolean };

function Tile({ name, value, note, isBad }: TileProps) {
  return (
    <div className="min-w-0 rounded-lg border bg-surface px-4 py-3 shadow-raised">
      <dt className="truncate text-muted text-sm">{name}</dt>
      <dd>
        <span className={cx("block font-semibold text-2xl tracking-tight", isBad && "text-bad")}>
          {value}
        </span>
        <span className="block truncate text-muted text-xs">{note}</span>
      </dd>
    </div>
  );
}

function Waiting() {
  const { t } = useTranslation("common");
  return (
    <div role="status" aria-label={t("loading")} className="flex flex-col gap-5">
      <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        {["a", "b", "c", "d"].map((each) => (
          <Skeleton key={each} className="h-24" />
        ))}
      </div>
      <Skeleton className="h-72" />
      <Skeleton className="h-56" />
    </div>
  );
}
