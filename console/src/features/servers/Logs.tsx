/** What a server wrote to stderr, as it comes, and how much of it is kept. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ScrollText } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, brought, type Schemas } from "@/api/client";
import { useIsOwner } from "@/api/me";
import type { Server } from "@/api/servers";
import { cx } from "@/components/cx";
import { SearchInput, Select, Switch } from "@/components/Field";
import { useFormats } from "@/components/format";
import { Card, Empty, Failure, SkeletonRows } from "@/components/Page";
import { complain } from "@/components/Toasts";

type Level = NonNullable<Schemas["LogLevelOf"]["level"]>;
const LEVELS: readonly Level[] = ["debug", "info", "warning", "error"];
const LINES = 1000;

type Props = { project: string; server: Server };

export function ServerLogs({ project, server }: Props) {
  const { t } = useTranslation("servers");
  const [asked, setAsked] = useState("");
  const [isFollowing, setFollowing] = useState(true);
  const { data, error } = useQuery({
    queryKey: ["project", project, "logs", server.id],
    queryFn: () =>
      brought(
        api.GET("/api/v1/projects/{project}/servers/{server}/logs", {
          params: { path: { project, server: server.id }, query: { lines: LINES } },
        }),
      ),
  });
  const lines = data?.lines.filter((line) => line.text.toLowerCase().includes(asked.toLowerCase()));
  if (error && !data) return <Failure error={error} />;
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-3">
        <SearchInput
          className="w-full sm:w-72"
          placeholder={t("logs.search")}
          value={asked}
          onChange={(event) => setAsked(event.target.value)}
        />
        <LevelChoice project={project} server={server} />
        <span className="ml-auto">
          <Switch label={t("logs.follow")} checked={isFollowing} onChange={setFollowing} />
        </span>
      </div>
      <Card>
        {!lines ? (
          <SkeletonRows />
        ) : lines.length === 0 ? (
          <Empty icon={ScrollText} title={t("logs.empty")}>
            {server.transport === "stdio" ? t("logs.emptyNote") : t("logs.remoteNote")}
          </Empty>
        ) : (
          <Lines lines={lines} isFollowing={isFollowing} />
        )}
      </Card>
    </div>
  );
}

type LinesProps = { lines: Schemas["LogLineView"][]; isFollowing: boolean };

function Lines({ lines, isFollowing }: LinesProps) {
  const { t } = useTranslation("servers");
  const { clock } = useFormats();
  const box = useRef<HTMLElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: new lines move the end.
  useEffect(() => {
    if (isFollowing) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [lines, isFollowing]);
  return (
    <section
      ref={box}
      aria-label={t("tabs.logs")}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard.
      tabIndex={0}
      className="max-h-[60dvh] overflow-auto bg-sunken py-2 font-mono text-xs leading-5"
    >
      {lines.map((line, index) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: two lines may be alike.
          key={`${line.time} ${index}`}
          className="flex gap-4 px-4 [contain-intrinsic-size:auto_20px] [content-visibility:auto] hover:bg-hover"
        >
          <time dateTime={line.time} className="shrink-0 text-muted">
            {clock(line.time)}
          </time>
          <span className={cx("min-w-0 whitespace-pre-wrap", toneOf(line.text))}>{line.text}</span>
        </div>
      ))}
    </section>
  );
}

function toneOf(text: string): string {
  const start = text.slice(0, 120);
  if (/\b(error|fatal|critical|panic)\b/i.test(start)) return "text-bad";
  return /\b(warn|warning)\b/i.test(start) ? "text-warn" : "";
}

function LevelChoice({ project, server }: Props) {
  const { t } = useTranslation("servers");
  const client = useQueryClient();
  const isOwner = useIsOwner();
  const params = { path: { project, server: server.id } };
  const queryKey = ["project", project, "servers", server.id, "level"];
  const path = "/api/v1/projects/{project}/servers/{server}/log-level";
  const { data } = useQuery({ queryKey, queryFn: () => brought(api.GET(path, { params })) });
  if (!isOwner) return null;
  const choose = async (value: string) => {
    const level = value === "general" ? null : (value as Level);
    client.setQueryData(queryKey, { level });
    await api.PUT(path, { params, body: { level } }).catch(complain);
    await client.invalidateQueries({ queryKey });
  };
  return (
    <Select
      className="w-52"
      label={t("logs.level")}
      value={data?.level ?? "general"}
      onChange={choose}
      options={[
        { value: "general", label: t("logs.general") },
        ...LEVELS.map((value) => ({ value, label: t(`logs.levels.${value}`) })),
      ]}
    />
  );
}
