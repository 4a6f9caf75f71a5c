/** What became of a call: its result, its messages as they went over the wire, and what it told. */
import { Ban } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Tool } from "@/api/servers";
import { Button } from "@/components/Button";
import { cx } from "@/components/cx";
import { useFormats } from "@/components/format";
import { TabPanel, Tabs } from "@/components/Tabs";
import { Activity } from "./Activity";
import type { Place } from "./client/protocol";
import { Messages } from "./Messages";
import { Questions } from "./Questions";
import { Result } from "./Result";
import { cancel, type Run } from "./runs";
import { StateMark } from "./StateMark";
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
