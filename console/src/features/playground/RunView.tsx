/** What goes on in a call, and what came of it. */
import { CircleAlert, CircleCheck, CircleSlash, LoaderCircle } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Code } from "@/components/Copy";
import { Switch } from "@/components/Field";
import { useFormats } from "@/components/format";
import { Failure } from "@/components/Page";
import { type Answers, type JSONObject, RPCFailure } from "./mcp";
import { Questions } from "./Questions";
import { Result } from "./Result";
import type { Run } from "./useInvocation";

type Props = {
  run: Run;
  outputSchema?: JSONObject;
  onAnswer: (answers: Answers) => void;
  onCancel: () => void;
  isRaw: boolean;
  onRaw: (isRaw: boolean) => void;
};

export function RunView({ run, outputSchema, onAnswer, onCancel, isRaw, onRaw }: Props) {
  const { t } = useTranslation("playground");
  return (
    <div className="flex flex-col">
      <Head run={run} isRaw={isRaw} onRaw={onRaw} />
      <div className="flex min-w-0 flex-col gap-4 p-4">
        {run.state === "running" && run.progress && <Progress {...run.progress} />}
        {run.questions && (
          <Questions questions={run.questions} onAnswer={onAnswer} onCancel={onCancel} />
        )}
        {run.logs.length > 0 && <Logs run={run} />}
        {isRaw ? (
          <Raw run={run} />
        ) : (
          <>
            {run.state === "running" && !run.questions && !run.progress && (
              <p className="text-muted">{t("waiting")}</p>
            )}
            {run.state === "cancelled" && <p className="text-muted">{t("cancelledNote")}</p>}
            {run.error !== undefined && <Fault error={run.error} />}
            {run.result && <Result result={run.result} outputSchema={outputSchema} />}
          </>
        )}
      </div>
    </div>
  );
}

function Head({ run, isRaw, onRaw }: Pick<Props, "run" | "isRaw" | "onRaw">) {
  const { t } = useTranslation("playground");
  const { t: common } = useTranslation("common");
  const { duration } = useFormats();
  const isToolError = run.result?.isError === true;
  const [Icon, tone, word] =
    run.state === "running"
      ? [
          LoaderCircle,
          "animate-spin text-accent",
          run.questions ? t("states.asking") : t("states.running"),
        ]
      : run.state === "cancelled"
        ? [CircleSlash, "text-muted", t("states.cancelled")]
        : run.state === "failed"
          ? [CircleAlert, "text-bad", t("states.failed")]
          : isToolError
            ? [CircleAlert, "text-warn", t("states.tool_error")]
            : [CircleCheck, "text-ok", t("states.ok")];
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b px-4 py-2.5" role="status">
      <span className="inline-flex items-center gap-2 font-semibold">
        <Icon aria-hidden className={`size-4 ${tone}`} />
        {word}
      </span>
      {run.ms !== undefined && <span className="text-muted text-sm">{duration(run.ms)}</span>}
      {run.requestId && (
        <span className="text-muted text-xs">
          {common("requestId")} <code className="font-mono">{run.requestId}</code>
        </span>
      )}
      <span className="ml-auto">
        <Switch label={t("raw")} checked={isRaw} onChange={onRaw} />
      </span>
    </div>
  );
}

function Progress({ progress, total, message }: NonNullable<Run["progress"]>) {
  const { t } = useTranslation("playground");
  const { number } = useFormats();
  return (
    <div className="flex flex-col gap-1.5">
      <progress
        aria-label={t("progress")}
        value={total ? progress : undefined}
        max={total ?? undefined}
        className="h-1.5 w-full accent-accent"
      />
      <p className="text-muted text-sm">
        {[total ? `${number(progress)} / ${number(total)}` : number(progress), message]
          .filter(Boolean)
          .join(" · ")}
      </p>
    </div>
  );
}

function Logs({ run }: { run: Run }) {
  const { t } = useTranslation("playground");
  const { clock } = useFormats();
  return (
    <details open className="rounded-md border bg-sunken">
      <summary className="px-3 py-1.5 font-medium text-sm">
        {t("logs", { count: run.logs.length })}
      </summary>
      <ul className="max-h-48 overflow-y-auto border-t px-3 py-1.5 font-mono text-xs leading-5">
        {run.logs.map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two lines may be alike.
          <li key={index} className="flex gap-3">
            <time dateTime={line.time} className="text-muted">
              {clock(line.time)}
            </time>
            <span className="text-muted">{line.level}</span>
            <span className="min-w-0">{line.text}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Raw({ run }: { run: Run }) {
  const { t } = useTranslation("playground");
  const { clock } = useFormats();
  return (
    <ol className="flex flex-col gap-3">
      {run.messages.map((message, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: messages only come, and stay in order.
        <li key={index}>
          <p className="mb-1 flex items-baseline gap-2 text-xs">
            <strong className={message.direction === "sent" ? "text-accent" : "text-ok"}>
              {message.direction === "sent" ? t("sent") : t("heard")}
            </strong>
            <time dateTime={message.time} className="text-muted">
              {clock(message.time)}
            </time>
          </p>
          <Code
            label={message.direction === "sent" ? t("sent") : t("heard")}
            text={JSON.stringify(message.body, null, 2)}
          />
        </li>
      ))}
    </ol>
  );
}

function Fault({ error }: { error: unknown }) {
  const { t } = useTranslation("playground");
  if (!(error instanceof RPCFailure)) return <Failure error={error} />;
  return (
    <div className="flex flex-col gap-2">
      <Failure error={new Error(t("rpcFailed", { code: error.code, message: error.message }))} />
      {error.data !== undefined && (
        <Code label={t("details")} text={JSON.stringify(error.data, null, 2)} />
      )}
    </div>
  );
}
