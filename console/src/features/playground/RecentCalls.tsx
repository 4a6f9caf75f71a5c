/** The calls made here lately: when, what, how it ended, how long it took; each can be made again. */
import { Link } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Badge, type Tone } from "@/components/Badge";
import { Button } from "@/components/Button";
import { type Column, DataTable } from "@/components/DataTable";
import { useFormats } from "@/components/format";
import { Card } from "@/components/Page";
import { type Invocation, useHistory } from "./history";

const TONES: Record<Invocation["status"], Tone> = {
  ok: "ok",
  tool_error: "warn",
  failed: "bad",
  cancelled: "neutral",
};

type Props = { project: string; onReplay: (invocation: Invocation) => void };

export function RecentCalls({ project, onReplay }: Props) {
  const { t } = useTranslation("playground");
  const { t: common } = useTranslation("common");
  const { clock, duration } = useFormats();
  const recent = useHistory(project);
  if (recent.length === 0) return null;
  const columns: Column<Invocation>[] = [
    {
      id: "time",
      header: t("time"),
      by: (row) => row.time,
      cell: (row) => <time dateTime={row.time}>{clock(row.time)}</time>,
    },
    {
      id: "tool",
      header: t("tool"),
      by: (row) => row.tool,
      cell: (row) => <span className="font-mono text-sm">{row.tool}</span>,
    },
    {
      id: "status",
      header: t("status"),
      by: (row) => row.status,
      cell: (row) => <Badge tone={TONES[row.status]}>{t(`states.${row.status}`)}</Badge>,
    },
    {
      id: "ms",
      header: t("latency"),
      kind: "wide-number",
      by: (row) => row.ms,
      cell: (row) => duration(row.ms),
    },
    {
      id: "request",
      header: common("requestId"),
      kind: "wide",
      cell: (row) => (
        <Link
          to="/p/$project/records"
          params={{ project }}
          search={{ request: row.requestId }}
          className="font-mono text-muted text-xs hover:underline"
        >
          {row.requestId}
        </Link>
      ),
    },
    {
      id: "replay",
      header: common("actions"),
      isSilent: true,
      kind: "number",
      cell: (row) => (
        <Button size="sm" kind="quiet" onClick={() => onReplay(row)}>
          <RotateCcw aria-hidden className="size-3.5" />
          {t("replay")}
        </Button>
      ),
    },
  ];
  return (
    <Card title={t("recent")}>
      <DataTable label={t("recent")} rows={recent} columns={columns} idOf={(row) => row.id} />
    </Card>
  );
}
