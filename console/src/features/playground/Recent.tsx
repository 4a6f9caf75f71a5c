/** The calls of this visit, to look at again, to make again, and to take along. */
import { RotateCw, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Button } from "@/components/Button";
import { type Column, DataTable } from "@/components/DataTable";
import { useFormats } from "@/components/format";
import { Card } from "@/components/Page";
import { CopyCall } from "./CopyCall";
import { forget, type Run } from "./runs";
import { StateMark } from "./StateMark";

type Props = {
  project: string;
  runs: readonly Run[];
  onOpen: (run: Run) => void;
  onReplay: (run: Run) => void;
};

export function Recent({ project, runs, onOpen, onReplay }: Props) {
  const { t } = useTranslation("playground");
  const { clock, duration } = useFormats();
  const columns: Column<Run>[] = [
    {
      id: "time",
      header: t("columns.time"),
      by: (run) => run.startedAt,
      cell: (run) => (
        <time className="whitespace-nowrap text-muted">{clock(new Date(run.startedAt))}</time>
      ),
    },
    {
      id: "tool",
      header: t("columns.action"),
      by: (run) => run.tool,
      cell: (run) => (
        <button
          type="button"
          className="text-left font-mono text-xs hover:underline"
          onClick={() => onOpen(run)}
        >
          {run.tool}
        </button>
      ),
    },
    {
      id: "state",
      header: t("columns.state"),
      by: (run) => run.state,
      cell: (run) => <StateMark state={run.state} isAsking={run.questions.length > 0} />,
    },
    {
      id: "latency",
      header: t("columns.latency"),
      kind: "wide-number",
      by: (run) => run.ms ?? 0,
      cell: (run) => (run.ms === undefined ? "" : duration(run.ms)),
    },
    {
      id: "request",
      header: t("columns.request"),
      kind: "wide",
      cell: (run) => <code className="font-mono text-muted text-xs">{run.requestId}</code>,
    },
    {
      id: "actions",
      header: t("columns.actions"),
      kind: "wide-number",
      cell: (run) => (
        <span className="flex justify-end gap-2">
          <Button size="sm" onClick={() => onReplay(run)}>
            <RotateCw aria-hidden className="size-3.5" />
            {t("replay")}
          </Button>
          <CopyCall size="sm" call={run} />
        </span>
      ),
    },
  ];
  return (
    <Card
      title={t("recent")}
      actions={
        runs.length > 0 && (
          <Button kind="quiet" size="sm" onClick={() => forget(project)}>
            <Trash2 aria-hidden className="size-3.5" />
            {t("forget")}
          </Button>
        )
      }
    >
      {runs.length === 0 ? (
        <p className="px-4 py-6 text-center text-muted text-sm">{t("noRuns")}</p>
      ) : (
        <DataTable
          label={t("recent")}
          rows={runs}
          columns={columns}
          idOf={(run) => run.id}
          onOpen={onOpen}
        />
      )}
    </Card>
  );
}
