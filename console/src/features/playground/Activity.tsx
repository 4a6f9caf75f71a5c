/** What a tool told while it ran: its progress and its log lines. */
import { useTranslation } from "react-i18next";
import { Badge, type Tone } from "@/components/Badge";
import { useFormats } from "@/components/format";
import type { Log, Run } from "./runs";

const LEVELS: Record<string, Tone> = {
  debug: "neutral",
  info: "accent",
  notice: "accent",
  warning: "warn",
};

export function Activity({ run }: { run: Run }) {
  const { t } = useTranslation("playground");
  const { number } = useFormats();
  return (
    <div className="flex flex-col gap-3">
      {run.progress && (
        <p className="text-sm">
          {t("steps", { count: run.steps })} {number(run.progress.progress)}
          {run.progress.total !== undefined && ` / ${number(run.progress.total)}`}{" "}
          {run.progress.message}
        </p>
      )}
      {run.logs.length === 0 && !run.progress && (
        <p className="text-muted text-sm">{t("noActivity")}</p>
      )}
      {run.logs.length > 0 && (
        <ol className="flex flex-col divide-y rounded-md border">
          {run.logs.map((log, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines only ever come after others.
            <LogLine key={index} log={log} />
          ))}
        </ol>
      )}
    </div>
  );
}

function LogLine({ log }: { log: Log }) {
  const { clock } = useFormats();
  return (
    <li className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 px-3 py-1.5 text-sm">
      <time className="text-muted text-xs">{clock(new Date(log.at))}</time>
      <Badge tone={LEVELS[log.level] ?? "bad"}>{log.level}</Badge>
      {log.logger && <span className="text-muted text-xs">{log.logger}</span>}
      <span className="min-w-0 whitespace-pre-wrap font-mono text-xs">
        {typeof log.data === "string" ? log.data : JSON.stringify(log.data)}
      </span>
    </li>
  );
}
