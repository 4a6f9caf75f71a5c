/** One record: where its time went, and everything that is kept of it. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Badge } from "@/components/Badge";
import { buttonStyle } from "@/components/Button";
import { CopyButton } from "@/components/Copy";
import { Drawer } from "@/components/Dialog";
import { Facts } from "@/components/Facts";
import { useFormats } from "@/components/format";
import { Failure, Skeleton } from "@/components/Page";
import { recordQuery } from "./query";
import { OUTCOME_TONES } from "./RecordsTable";

type RecordView = Schemas["RecordView"];
type Props = { project: string; id: string | undefined; onClose: () => void };

export function RecordDrawer({ project, id, onClose }: Props) {
  const { t } = useTranslation("records");
  const { data, error } = useQuery({
    ...recordQuery(project, id ?? ""),
    enabled: id !== undefined,
  });
  return (
    <Drawer
      isOpen={id !== undefined}
      onClose={onClose}
      title={
        data ? (
          <span className="font-mono text-base">{data.target ?? data.method}</span>
        ) : (
          t("record")
        )
      }
      footer={
        data?.method === "tools/call" && data.target ? (
          <Link
            to="/p/$project/playground"
            params={{ project }}
            search={{ tool: data.target }}
            className={buttonStyle({})}
          >
            {t("openTool")}
          </Link>
        ) : undefined
      }
    >
      {error ? (
        <Failure error={error} />
      ) : data ? (
        <Details record={data} />
      ) : (
        <Skeleton className="h-80" />
      )}
    </Drawer>
  );
}

function Details({ record }: { record: RecordView }) {
  const { t } = useTranslation("records");
  const { moment, bytes } = useFormats();
  return (
    <div className="flex flex-col gap-6">
      <div className="flex flex-wrap items-center gap-2">
        <Badge tone={OUTCOME_TONES[record.outcome]}>{t(`outcomes.${record.outcome}`)}</Badge>
        {record.reason && <code className="font-mono text-muted text-sm">{record.reason}</code>}
      </div>
      <TimeLine record={record} />
      <Facts
        facts={[
          [t("time"), moment(record.time)],
          [
            t("method"),
            <code key="method" className="font-mono text-sm">
              {record.method}
            </code>,
          ],
          [t("server"), record.server],
          [t("who"), `${record.principal_name} (${t(`kinds.${record.principal_kind}`)})`],
          [t("client"), record.client_name],
          [t("era"), record.era && t(`eras.${record.era}`)],
          [t("transport"), record.transport],
          [t("status"), String(record.http_status)],
          [t("code"), record.rpc_code === null ? null : String(record.rpc_code)],
          [t("sizes"), `${bytes(record.request_bytes)} → ${bytes(record.response_bytes)}`],
          [t("request"), <Id key="request" id={record.request_id} />],
          [t("trace"), record.trace_id && <Id key="trace" id={record.trace_id} />],
        ]}
      />
    </div>
  );
}

function Id({ id }: { id: string }) {
  return (
    <span className="flex items-center gap-1">
      <code className="min-w-0 font-mono text-sm">{id}</code>
      <CopyButton text={id} />
    </span>
  );
}

/** Where the time of a call went: waiting, at the server, in the gateway itself. */
function TimeLine({ record }: { record: RecordView }) {
  const { t } = useTranslation("records");
  const { duration } = useFormats();
  const upstream = record.upstream_ms ?? 0;
  const own = Math.max(0, record.total_ms - record.queue_ms - upstream);
  const parts = [
    { word: t("parts.queue"), ms: record.queue_ms, tone: "bg-warn" },
    { word: t("parts.gateway"), ms: own, tone: "bg-line-strong" },
    { word: t("parts.upstream"), ms: upstream, tone: "bg-accent" },
  ];
  return (
    <section aria-label={t("timeLine")}>
      <div className="mb-3 flex items-baseline justify-between">
        <h3 className="font-medium text-sm">{t("timeLine")}</h3>
        <span className="font-semibold">{duration(record.total_ms)}</span>
      </div>
      <div aria-hidden className="flex h-3 gap-px overflow-hidden rounded-full bg-hover">
        {parts.map(({ word, ms, tone }) => (
          <div
            key={word}
            className={tone}
            style={{ width: `${(ms / Math.max(record.total_ms, 0.001)) * 100}%` }}
          />
        ))}
      </div>
      <ul className="mt-3 grid gap-1.5 text-sm">
        {parts.map(({ word, ms, tone }) => (
          <li key={word} className="flex items-center gap-2">
            <span aria-hidden className={`size-2 rounded-full ${tone}`} />
            <span className="text-muted">{word}</span>
            <span className="ml-auto">{duration(ms)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
