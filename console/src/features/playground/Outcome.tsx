/** What became of a call: its result, its messages as they went over the wire, and what it told. */
import { Ban, CircleCheck, CircleX, LoaderCircle, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Tool } from "@/api/servers";
import { Badge, type Tone } from "@/components/Badge";
import { Button } from "@/components/Button";
import { Code } from "@/components/Copy";
import { cx } from "@/components/cx";
import { useFormats } from "@/components/format";
import { FaultText } from "@/components/schema/SchemaForm";
import { faultsOf, type Schema } from "@/components/schema/schema";
import { TabPanel, Tabs } from "@/components/Tabs";
import { AppFrame, appOf } from "./AppFrame";
import { Content } from "./Content";
import type { Json, Place } from "./client/protocol";
import { Questions } from "./Questions";
import { cancel, type Log, type Run, type RunState, type Wire } from "./runs";
import type { Show } from "./search";

type Props = {
  run: Run;
  tool: Tool | undefined;
  place: Place;
  show: Show;
  onShow: (show: Show) => void;
};

export function Outcome({ run, tool, place, show, onShow }: Props) {
  const { t } = useTranslation("playground");
  const stop = () => cancel(run.id);
  return (
    <div aria-live="polite">
      <div className="flex min-h-11 items-center justify-between gap-3 px-4 pt-3">
        <StateMark state={run.state} isAsking={run.questions.length > 0} />
        {run.state === "running" && (
          <Button size="sm" onClick={stop}>
            <Ban aria-hidden className="size-3.5" />
            {t("cancel")}
          </Button>
        )}
      </div>
      <Facts run={run} />
      <ProgressBar run={run} />
      <Questions questions={run.questions} onCancel={stop} />
      <div className="px-4 pb-4">
        <Tabs
          label={t("views")}
          value={show}
          onChange={(value) => onShow(value as Show)}
          tabs={[
            { value: "result", label: t("result") },
            { value: "messages", label: t("messages"), count: run.wire.length },
            { value: "activity", label: t("activity"), count: run.logs.length + run.steps },
          ]}
        >
          <TabPanel value="result">
            <Result run={run} tool={tool} place={place} />
          </TabPanel>
          <TabPanel value="messages">
            <Messages wire={run.wire} />
          </TabPanel>
          <TabPanel value="activity">
            <Activity run={run} />
          </TabPanel>
        </Tabs>
      </div>
    </div>
  );
}

const STATES: Record<RunState, { icon: typeof CircleCheck; tone: Tone; color: string }> = {
  running: { icon: LoaderCircle, tone: "accent", color: "text-accent" },
  done: { icon: CircleCheck, tone: "ok", color: "text-ok" },
  tool_error: { icon: TriangleAlert, tone: "warn", color: "text-warn" },
  failed: { icon: CircleX, tone: "bad", color: "text-bad" },
  cancelled: { icon: Ban, tone: "neutral", color: "text-muted" },
};

export function StateMark({ state, isAsking }: { state: RunState; isAsking?: boolean }) {
  const { t } = useTranslation("playground");
  const { icon: Icon, color } = STATES[state];
  return (
    <span
      data-state={state}
      className={cx(
        "inline-flex items-center gap-1.5 whitespace-nowrap font-medium text-sm",
        color,
      )}
    >
      <Icon
        aria-hidden
        className={cx("size-4", state === "running" && !isAsking && "animate-spin")}
      />
      {isAsking ? t("asking") : t(`states.${state}`)}
    </span>
  );
}

function Facts({ run }: { run: Run }) {
  const { t } = useTranslation("playground");
  const { t: common } = useTranslation("common");
  const { duration } = useFormats();
  return (
    <p className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 pb-3 text-muted text-xs">
      {run.ms !== undefined && <span>{duration(run.ms)}</span>}
      <span>{t(`eraNotes.${run.era}`)}</span>
      {run.requestId && (
        <span>
          {common("requestId")} <code className="font-mono">{run.requestId}</code>
        </span>
      )}
    </p>
  );
}

function ProgressBar({ run }: { run: Run }) {
  const { t } = useTranslation("playground");
  const { number } = useFormats();
  const told = run.progress;
  if (run.state !== "running" || !told) return null;
  const share = told.total ? Math.min(1, told.progress / told.total) : undefined;
  return (
    <div className="px-4 pb-3">
      <div
        role="progressbar"
        aria-label={t("progress")}
        aria-valuenow={share === undefined ? undefined : Math.round(share * 100)}
        aria-valuemin={0}
        aria-valuemax={100}
        className="h-1.5 overflow-hidden rounded-full bg-hover"
      >
        <div
          className={cx("h-full bg-accent transition-all", share === undefined && "animate-pulse")}
          style={{ width: `${(share ?? 1) * 100}%` }}
        />
      </div>
      <p className="mt-1 text-muted text-xs">
        {number(told.progress)}
        {told.total !== undefined && ` / ${number(told.total)}`} {told.message}
      </p>
    </div>
  );
}

function Result({ run, tool, place }: Pick<Props, "run" | "tool" | "place">) {
  const { t } = useTranslation("playground");
  if (run.state === "running") return <p className="text-muted text-sm">{t("waiting")}</p>;
  if (run.state === "cancelled") return <p className="text-muted text-sm">{t("wasCancelled")}</p>;
  if (run.failure) return <Refusal text={run.failure} />;
  if (run.error) {
    return (
      <div className="flex flex-col gap-3">
        <Refusal text={run.error.message} code={run.error.code} />
        {run.error.data !== undefined && (
          <Code text={JSON.stringify(run.error.data, null, 2)} label={t("data")} wrap />
        )}
      </div>
    );
  }
  if (!run.result) return <p className="text-muted text-sm">{t("notKept")}</p>;
  const content = Array.isArray(run.result.content) ? (run.result.content as Json[]) : [];
  const app = appOf(tool);
  return (
    <div className="flex flex-col gap-4">
      {app && tool && (
        <AppFrame uri={app} tool={tool} values={run.arguments} result={run.result} place={place} />
      )}
      {content.map((item, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a result never changes.
        <Content key={index} item={item} place={place} />
      ))}
      {run.result.structuredContent !== undefined && (
        <Structured value={run.result.structuredContent} schema={tool?.outputSchema as Schema} />
      )}
      {content.length === 0 && run.result.structuredContent === undefined && (
        <p className="text-muted text-sm">{t("nothing")}</p>
      )}
    </div>
  );
}

function Refusal({ text, code }: { text: string; code?: number }) {
  const { t } = useTranslation("playground");
  return (
    <div role="alert" className="rounded-lg border border-bad/40 bg-bad-soft p-3.5">
      <p className="whitespace-pre-line text-base">{text}</p>
      {code !== undefined && <p className="mt-1 text-muted text-xs">{t("code", { code })}</p>}
    </div>
  );
}

function Structured({ value, schema }: { value: unknown; schema: Schema | undefined }) {
  const { t } = useTranslation("playground");
  const faults = schema ? faultsOf(schema, value) : [];
  return (
    <section>
      <h3 className="mb-1.5 flex flex-wrap items-center gap-2 font-medium text-sm">
        {t("structured")}
        {!schema ? (
          <Badge>{t("noOutputSchema")}</Badge>
        ) : faults.length === 0 ? (
          <Badge tone="ok">{t("fits")}</Badge>
        ) : (
          <Badge tone="bad">{t("fitsNot", { count: faults.length })}</Badge>
        )}
      </h3>
      {faults.length > 0 && (
        <ul className="mb-2 text-sm">
          {faults.map((fault) => (
            <li key={`${fault.path} ${fault.word}`}>
              <code className="font-mono text-xs">{fault.path || "/"}</code>{" "}
              <FaultText fault={fault} />
            </li>
          ))}
        </ul>
      )}
      <Code text={JSON.stringify(value, null, 2)} label={t("structured")} wrap />
    </section>
  );
}

function Messages({ wire }: { wire: readonly Wire[] }) {
  const { t } = useTranslation("playground");
  const { clock } = useFormats();
  if (wire.length === 0) return <p className="text-muted text-sm">{t("noMessages")}</p>;
  return (
    <ol className="flex flex-col gap-2">
      {wire.map((each, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: messages only ever come after others.
        <li key={index}>
          <details className="rounded-md border" open={wire.length <= 4}>
            <summary className="flex items-center gap-2 px-3 py-1.5 text-xs">
              <Badge tone={each.direction === "sent" ? "accent" : "neutral"}>
                {t(`directions.${each.direction}`)}
              </Badge>
              <code className="min-w-0 flex-1 truncate font-mono">{titleOf(each.message)}</code>
              <time className="text-muted">{clock(new Date(each.at))}</time>
            </summary>
            <Code
              text={JSON.stringify(each.message, null, 2)}
              label={titleOf(each.message)}
              className="rounded-none border-0 border-t"
            />
          </details>
        </li>
      ))}
    </ol>
  );
}

function titleOf(message: unknown): string {
  const { method, id, error } = (message ?? {}) as {
    method?: string;
    id?: unknown;
    error?: unknown;
  };
  const name = method ?? (error ? "error" : "result");
  return id === undefined ? name : `${name} #${String(id)}`;
}

const LEVELS: Record<string, Tone> = {
  debug: "neutral",
  info: "accent",
  notice: "accent",
  warning: "warn",
};

function Activity({ run }: { run: Run }) {
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
