/** One server: how it is, what it offers, what it says. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { ChevronLeft, RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/client";
import { useIsOwner } from "@/api/me";
import { type Server, serversQuery } from "@/api/servers";
import { StatusMark } from "@/components/Badge";
import { Button } from "@/components/Button";
import { Switch } from "@/components/Field";
import { useFormats } from "@/components/format";
import { Card, Failure, Page, Skeleton } from "@/components/Page";
import { TabPanel, Tabs } from "@/components/Tabs";
import { useServerActions } from "./actions";
import { ServerLogs } from "./Logs";
import { Prompts, Resources, ServerTools } from "./Offers";
import { ServerMenu } from "./ServerMenu";
import { Eras } from "./ServersPage";
import { Setup } from "./Setup";
import { TABS, type Tab } from "./search";

const route = getRouteApi("/inside/p/$project/servers/$server");

export function ServerPage() {
  const { t } = useTranslation("servers");
  const { project, server: name } = route.useParams();
  const { tab = "tools" } = route.useSearch();
  const navigate = useNavigate();
  const { data: servers, error } = useQuery(serversQuery(project));
  const server = servers?.find((each) => each.name === name);
  const open = (value: string) =>
    navigate({
      to: "/p/$project/servers/$server",
      params: { project, server: name },
      search: { tab: value as Tab },
      replace: true,
    });
  return (
    <Page
      title={name}
      note={server?.description}
      above={
        <Link
          to="/p/$project/servers"
          params={{ project }}
          className="-ml-1 inline-flex items-center gap-0.5 self-start text-muted text-sm hover:text-ink"
        >
          <ChevronLeft aria-hidden className="size-4" />
          {t("title")}
        </Link>
      }
      actions={server && <Actions project={project} server={server} />}
    >
      {error && !servers ? (
        <Failure error={error} />
      ) : servers && !server ? (
        <Failure error={new ApiError(404, "not_found", t("gone", { name }), undefined)} />
      ) : (
        <>
          <State server={server} />
          {server && (
            <Tabs
              label={t("parts")}
              value={tab}
              onChange={open}
              tabs={TABS.map((value) => ({
                value,
                label: t(`tabs.${value}`),
                ...(value === "tools" ? { count: server.tool_count } : {}),
              }))}
            >
              <TabPanel value="tools">
                <ServerTools project={project} server={server} />
              </TabPanel>
              <TabPanel value="resources">
                <Resources project={project} server={server} />
              </TabPanel>
              <TabPanel value="prompts">
                <Prompts project={project} server={server} />
              </TabPanel>
              <TabPanel value="logs">
                <ServerLogs project={project} server={server} />
              </TabPanel>
              <TabPanel value="setup">
                <Setup server={server} />
              </TabPanel>
            </Tabs>
          )}
        </>
      )}
    </Page>
  );
}

function Actions({ project, server }: { project: string; server: Server }) {
  const { t } = useTranslation("servers");
  const { t: common } = useTranslation("common");
  const navigate = useNavigate();
  const isOwner = useIsOwner();
  const { toggle, restart } = useServerActions(project);
  const bar = isOwner ? undefined : common("ownersOnly");
  return (
    <>
      {isOwner && (
        <Switch
          label={t("enabledWord")}
          checked={!server.disabled}
          onChange={(isOn) => toggle(server, isOn)}
        />
      )}
      <Button
        barred={bar ?? (server.disabled && t("restartDisabled"))}
        onClick={() => restart(server)}
      >
        <RotateCw aria-hidden className="size-4" />
        {t("restart")}
      </Button>
      <ServerMenu
        project={project}
        server={server}
        onRemoved={() => navigate({ to: "/p/$project/servers", params: { project } })}
      />
    </>
  );
}

const WAITING = ["status", "response", "transport", "era", "restarts", "product"];

function State({ server }: { server?: Server }) {
  const { t } = useTranslation("servers");
  const { ago, duration, number } = useFormats();
  const info = server?.server_info;
  const cells: [string, ReactNode][] = server
    ? [
        [t("status"), <StatusMark key="status" status={server.status} />],
        [t("response"), server.response_ms === null ? "–" : duration(server.response_ms)],
        [t("transport"), t(`transports.${server.transport}`)],
        [t("era"), <Eras key="eras" eras={server.eras} />],
        [t("restarts"), number(server.restarts)],
        [t("product"), [info?.title ?? info?.name, info?.version].filter(Boolean).join(" ") || "–"],
      ]
    : WAITING.map((name) => [name, <Skeleton key={name} className="h-5 w-20" />]);
  const isTrouble = server && server.status !== "ok" && server.status !== "disabled";
  return (
    <Card>
      <dl className="grid grid-cols-2 gap-px bg-line sm:grid-cols-3 lg:grid-cols-6">
        {cells.map(([name, value]) => (
          <div key={name} className="min-w-0 bg-surface px-4 py-3">
            <dt className="text-muted text-xs">
              {server ? name : <Skeleton className="h-4 w-14" />}
            </dt>
            <dd className="mt-0.5 truncate font-medium">{value}</dd>
          </div>
        ))}
      </dl>
      {isTrouble && (server.reason || server.last_error) && (
        <div className="border-t bg-bad-soft px-4 py-2.5 text-sm">
          <p className="whitespace-pre-line">{server.last_error ?? server.reason}</p>
          {server.last_error_at && (
            <p className="text-muted text-xs">{ago(server.last_error_at)}</p>
          )}
        </div>
      )}
    </Card>
  );
}
