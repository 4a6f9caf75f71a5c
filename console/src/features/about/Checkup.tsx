/** What the doctor finds: what is wrong, what that means and how it is mended, then what is fine. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX, RotateCw, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, brought, type Schemas } from "@/api/client";
import { Badge } from "@/components/Badge";
import { Button } from "@/components/Button";
import { Code } from "@/components/Copy";
import { cx } from "@/components/cx";
import { useFormats } from "@/components/format";
import { Card, Failure, SkeletonRows } from "@/components/Page";

type Finding = Schemas["FindingView"];
type Level = Finding["level"];

const LOOKS = {
  error: { Icon: CircleX, tone: "bad", colour: "text-bad" },
  warning: { Icon: TriangleAlert, tone: "warn", colour: "text-warn" },
  ok: { Icon: CircleCheck, tone: "ok", colour: "text-ok" },
} as const;
const ORDER: readonly Level[] = ["error", "warning"];

export function Checkup() {
  const { t } = useTranslation("about");
  const { clock } = useFormats();
  const { data, error, isFetching, dataUpdatedAt, refetch } = useQuery({
    queryKey: ["doctor"],
    queryFn: () => brought(api.GET("/api/v1/doctor")),
  });
  const found = data?.findings ?? [];
  const wrong = ORDER.flatMap((level) => found.filter((each) => each.level === level));
  const fine = found.filter((each) => each.level === "ok");
  return (
    <Card
      title={t("checkup.title")}
      actions={
        <Button size="sm" busy={isFetching} onClick={() => refetch()}>
          {!isFetching && <RotateCw aria-hidden className="size-3.5" />}
          {t("checkup.again")}
        </Button>
      }
    >
      {error && (
        <div className="p-4">
          <Failure error={error} />
        </div>
      )}
      {!data && !error && <SkeletonRows rows={3} />}
      {data && (
        <>
          <p role="status" className="px-4 pt-3 pb-2 text-base">
            {wrong.length > 0
              ? t("checkup.wrong", { count: wrong.length })
              : t("checkup.well", { count: fine.length })}{" "}
            <span className="text-muted text-sm">
              {t("checkup.at", { time: clock(new Date(dataUpdatedAt)) })}
            </span>
          </p>
          <List findings={wrong} />
          {fine.length > 0 && (
            <details className="border-t">
              <summary className="cursor-pointer px-4 py-2.5 text-muted text-sm hover:text-ink">
                {t("checkup.fine", { count: fine.length })}
              </summary>
              <List findings={fine} />
            </details>
          )}
        </>
      )}
    </Card>
  );
}

function List({ findings }: { findings: readonly Finding[] }) {
  if (findings.length === 0) return null;
  return (
    <ul className="divide-y border-t">
      {findings.map((finding) => (
        <li key={[finding.code, ...Object.values(finding.facts)].join()}>
          <One finding={finding} />
        </li>
      ))}
    </ul>
  );
}

function One({ finding }: { finding: Finding }) {
  const { t } = useTranslation("about");
  const { Icon, tone, colour } = LOOKS[finding.level];
  const what = useWhat(finding);
  return (
    <div className="flex gap-3 px-4 py-3" data-finding={finding.code} data-level={finding.level}>
      <Icon aria-hidden className={cx("mt-0.5 size-4 shrink-0", colour)} />
      <div className="min-w-0 flex-1">
        <p className="text-base [overflow-wrap:anywhere]">{what}</p>
        <p className="text-muted text-sm">{t(`means.${finding.code}`)}</p>
        {finding.level !== "ok" && <Cure finding={finding} />}
      </div>
      <span className="flex shrink-0 flex-col items-end gap-1">
        <Badge tone={tone}>{t(`level.${finding.level}`)}</Badge>
        <code className="font-mono text-muted text-xs">{finding.code}</code>
      </span>
    </div>
  );
}

function useWhat({ kind, facts }: Finding): string {
  const { t } = useTranslation("about");
  const { t: common } = useTranslation("common");
  const { number } = useFormats();
  const state = kind === "server" ? common(`status.${facts.status}`) : "";
  const free = number(Number(facts.free ?? 0));
  return t(`what.${kind}`, { ...facts, state, free }).trim();
}

function Cure({ finding: { kind, facts } }: { finding: Finding }) {
  const { t } = useTranslation("about");
  const link = "text-accent text-sm hover:underline";
  const { project, server, source, command } = facts;
  return (
    <div className="mt-1.5 flex flex-col items-start gap-1.5">
      <p className="font-medium text-sm">{t(`cure.${kind}`)}</p>
      {kind === "open" && command && (
        <Code label={t("checkup.command")} text={command} wrap className="w-full" />
      )}
      {project && server && (
        <Link
          to="/p/$project/servers/$server"
          params={{ project, server }}
          search={{ tab: "logs" }}
          className={link}
        >
          {t("checkup.toServer")}
        </Link>
      )}
      {source && (
        <a href={source} target="_blank" rel="noreferrer" className={link}>
          {t("checkup.source")}
        </a>
      )}
    </div>
  );
}
