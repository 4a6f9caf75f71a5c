/** What a call brought: its content, its data held against the schema, or why there is none. */
import { useTranslation } from "react-i18next";
import type { Tool } from "@/api/servers";
import { Badge } from "@/components/Badge";
import { Code } from "@/components/Copy";
import { FaultText } from "@/components/schema/Labelled";
import { faultsOf, type Schema } from "@/components/schema/schema";
import { AppFrame, appOf } from "./AppFrame";
import { Content } from "./Content";
import type { Json, Place } from "./client/protocol";
import type { Run } from "./runs";

type Props = { run: Run; tool: Tool | undefined; place: Place };

export function Result({ run, tool, place }: Props) {
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
