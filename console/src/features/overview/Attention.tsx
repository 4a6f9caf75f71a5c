/** What needs a person, each with the way to where it is mended. */
import { Link } from "@tanstack/react-router";
import { ChevronRight, CircleCheck, CircleX, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Span } from "@/api/statistics";
import { cx } from "@/components/cx";
import { useFormats } from "@/components/format";
import { Card } from "@/components/Page";
import type { Concern } from "./concerns";

type Props = { project: string; found: readonly Concern[]; span: Span };

export function Attention({ project, found, span }: Props) {
  const { t } = useTranslation("overview");
  if (found.length === 0) {
    return (
      <p className="flex items-center gap-2 rounded-lg border bg-surface px-4 py-2.5 text-sm shadow-raised">
        <CircleCheck aria-hidden className="size-4 shrink-0 text-ok" />
        {t("allWell")}
      </p>
    );
  }
  return (
    <Card title={t("attention", { count: found.length })}>
      <ul className="divide-y">
        {found.map((concern) => (
          <li key={concern.id}>
            <One project={project} concern={concern} span={span} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

const row = "flex items-center gap-3 px-4 py-2.5 hover:bg-hover/60";

function One({ project, concern, span }: { project: string; concern: Concern; span: Span }) {
  const { kind, server, tool } = concern;
  const inside = <Words concern={concern} />;
  if (kind === "failing" || kind === "slow") {
    const search = {
      span,
      server,
      ...(kind === "slow" ? { min_ms: 2000 } : { tool }),
    };
    return (
      <Link to="/p/$project/records" params={{ project }} search={search} className={row}>
        {inside}
      </Link>
    );
  }
  if (kind === "expired" || kind === "expiring") {
    return (
      <Link to="/p/$project/keys" params={{ project }} className={row}>
        {inside}
      </Link>
    );
  }
  return (
    <Link
      to="/p/$project/servers/$server"
      params={{ project, server: server ?? "" }}
      className={row}
    >
      {inside}
    </Link>
  );
}

function Words({ concern }: { concern: Concern }) {
  const { t } = useTranslation("overview");
  const { percent, duration, ago } = useFormats();
  const Icon = concern.tone === "bad" ? CircleX : TriangleAlert;
  const { kind, name, share, count, ms, when, reason } = concern;
  const values = {
    name,
    count: count ?? 0,
    share: share === undefined ? "" : percent(share),
    time: ms === undefined ? "" : duration(ms),
    when: when === undefined ? "" : ago(when),
  };
  return (
    <>
      <Icon
        aria-hidden
        className={cx("size-4 shrink-0", concern.tone === "bad" ? "text-bad" : "text-warn")}
      />
      <span className="min-w-0 flex-1">
        <span className="block font-medium text-sm">{t(`concerns.${kind}`, values)}</span>
        {reason && <span className="line-clamp-2 block text-muted text-xs">{reason}</span>}
      </span>
      <ChevronRight aria-hidden className="size-4 shrink-0 text-muted" />
    </>
  );
}
