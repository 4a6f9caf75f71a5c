/** One call: where its time went, who made it, and everything that was recorded of it. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ListFilter, SquareTerminal } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { api, brought } from "@/api/client";
import { Badge } from "@/components/Badge";
import { buttonStyle, IconButton } from "@/components/Button";
import { CopyButton } from "@/components/Copy";
import { cx } from "@/components/cx";
import { Drawer } from "@/components/Dialog";
import { useFormats } from "@/components/format";
import { Failure, Skeleton } from "@/components/Page";
import type { CallRecord } from "./RecordsPage";
import { TONES } from "./RecordTable";
import type { RecordsSearch } from "./search";

type Props = {
  project: string;
  id: string | undefined;
  known: CallRecord | undefined;
  onClose: () => void;
  onFilter: (filters: RecordsSearch) => void;
};

export function RecordDrawer({ project, id, known, onClose, onFilter }: Props) {
  const { t } = useTranslation("records");
  const { moment } = useFormats();
  const { data: record, error } = useQuery({
    queryKey: ["record", project, id],
    enabled: id !== undefined,
    initialData: known,
    // What was recorded never changes.
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () => {
      const params = { path: { project, record_id: id ?? "" } };
      return brought(api.GET("/api/v1/projects/{project}/records/{record_id}", { params }));
    },
  });
  const isCall = record?.method === "tools/call" && record.target;
  return (
    <Drawer
      isOpen={id !== undefined}
      onClose={onClose}
      title={
        <span className="font-mono text-base">{record?.target ?? record?.method ?? t("one")}</span>
      }
      note={record && moment(record.time)}
      footer={
        isCall && (
          <Link
            to="/p/$project/playground"
            params={{ project }}
            search={{ tool: record.target ?? undefined }}
            className={buttonStyle({})}
          >
            <SquareTerminal aria-hidden className="size-4" />
            {t("tryIt")}
          </Link>
        )
      }
    >
      {error ? (
        <Failure error={error} />
      ) : record ? (
        <Whole record={record} onFilter={onFilter} />
      ) : (
        <Skeleton className="h-64" />
      )}
    </Drawer>
  );
}

type WholeProps = { record: CallRecord; onFilter: (filters: RecordsSearch) => void };

function Whole({ record, onFilter }: WholeProps) {
  const { t } = useTranslation("records");
  const { bytes } = useFormats();
  const filtered = (filters: RecordsSearch) => () => onFilter(filters);
  return (
    <div className="flex flex-col gap-6">
      <div className="flex flex-wrap items-center gap-2">
        <Badge tone={TONES[record.outcome]}>{t(`outcomes.${record.outcome}`)}</Badge>
        {record.reason && <Badge>{record.reason}</Badge>}
        <Badge>{t("http", { status: record.http_status })}</Badge>
        {record.rpc_code !== null && <Badge>{t("rpc", { code: record.rpc_code })}</Badge>}
      </div>
      <p className="-mt-3 text-muted text-sm">{t(`meanings.${record.outcome}`)}</p>
      <TimeLine record={record} />
      <dl className="grid grid-cols-[minmax(6.5rem,auto)_minmax(0,1fr)] gap-x-4 gap-y-2 text-sm">
        <Fact name={t("method")} onFilter={filtered({ method: record.method })}>
          <code className="font-mono text-xs">{record.method}</code>
        </Fact>
        {record.target && (
          <Fact name={t("target")} onFilter={filtered({ tool: record.target })}>
            <code className="font-mono text-xs">{record.target}</code>
          </Fact>
        )}
        {record.server && (
          <Fact name={t("server")} onFilter={filtered({ server: record.server })}>
            {record.server}
          </Fact>
        )}
        <Fact name={t("principal")} onFilter={filtered({ principal: record.principal_id })}>
          {record.principal_name}{" "}
          <span className="text-muted text-xs">{record.principal_kind}</span>
        </Fact>
        {record.client_name && <Fact name={t("client")}>{record.client_name}</Fact>}
        <Fact name={t("transport")}>
          {record.transport}
          {record.era && ` · ${t(`eras.${record.era}`)}`}
        </Fact>
        <Fact name={t("sizes")}>
          {t("sizesOf", {
            sent: bytes(record.request_bytes),
            received: bytes(record.response_bytes),
          })}
        </Fact>
        <Fact name={t("requestId")} copied={record.request_id}>
          <code className="font-mono text-xs">{record.request_id}</code>
        </Fact>
        {record.trace_id && (
          <Fact name={t("traceId")} copied={record.trace_id}>
            <code className="font-mono text-xs">{record.trace_id}</code>
          </Fact>
        )}
      </dl>
      <p className="text-muted text-xs">{t("noContents")}</p>
    </div>
  );
}

type FactProps = { name: string; onFilter?: () => void; copied?: string; children: ReactNode };

function Fact({ name, onFilter, copied, children }: FactProps) {
  const { t } = useTranslation("records");
  return (
    <>
      <dt className="pt-1.5 text-muted">{name}</dt>
      <dd className="flex min-h-8 min-w-0 items-center gap-1">
        <span className="min-w-0 break-words">{children}</span>
        {onFilter && (
          <IconButton label={t("onlySuch")} size="icon" onClick={onFilter} className="ml-auto">
            <ListFilter aria-hidden className="size-3.5" />
          </IconButton>
        )}
        {copied && (
          <span className="ml-auto">
            <CopyButton text={copied} />
          </span>
        )}
      </dd>
    </>
  );
}

/** Where the time of a call went, each part as long as it took. */
function TimeLine({ record }: { record: CallRecord }) {
  const { t } = useTranslation("records");
  const { duration, percent } = useFormats();
  const { total_ms: total, queue_ms: queue, upstream_ms: server } = record;
  const own = Math.max(0, total - queue - (server ?? 0));
  // What is recorded as the queue is the time until the server had the request.
  const parts = [
    { name: t("line.queue"), ms: queue, color: "bg-warn" },
    { name: t("line.server"), ms: server ?? 0, color: "bg-accent" },
    { name: t("line.gateway"), ms: own, color: "bg-line-strong" },
  ].filter((part) => part.ms > 0);
  let start = 0;
  const placed = parts.map((part) => {
    const from = start;
    start += part.ms;
    return { ...part, from };
  });
  return (
    <section aria-label={t("line.title")}>
      <h3 className="mb-2 flex items-baseline justify-between font-medium text-sm">
        {t("line.title")}
        <span>{duration(total)}</span>
      </h3>
      <ol className="flex flex-col gap-2">
        {placed.map((part) => (
          <li key={part.name} className="text-xs">
            <p className="mb-0.5 flex justify-between gap-3">
              <span className="text-muted">{part.name}</span>
              <span>
                {duration(part.ms)}{" "}
                <span className="text-muted">{percent(total > 0 ? part.ms / total : 0)}</span>
              </span>
            </p>
            <div className="h-2.5 rounded-sm bg-hover">
              <div
                className={cx("h-full min-w-0.5 rounded-sm", part.color)}
                style={{
                  marginLeft: `${total > 0 ? Math.min(99, (part.from / total) * 100) : 0}%`,
                  width: `${total > 0 ? Math.min(100, (part.ms / total) * 100) : 0}%`,
                }}
              />
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}
