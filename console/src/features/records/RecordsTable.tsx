/** The list of records: only what is seen is drawn, and more is read as it comes near. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Badge, type Tone } from "@/components/Badge";
import { useFormats } from "@/components/format";
import type { Outcome } from "./search";

type RecordView = Schemas["RecordView"];

export const OUTCOME_TONES: Record<Outcome, Tone> = {
  ok: "ok",
  tool_error: "warn",
  failed: "bad",
  refused: "bad",
  input_required: "accent",
  cancelled: "neutral",
};

const ROW = 44; // pixels
const COLUMNS =
  "grid grid-cols-[minmax(0,1fr)_auto_auto] items-center gap-x-4 px-4 md:grid-cols-[8.5rem_minmax(0,1fr)_minmax(0,10rem)_minmax(0,10rem)_7.5rem_5rem]";

type Props = {
  records: readonly RecordView[];
  onOpen: (id: string) => void;
  hasMore: boolean;
  isLoading: boolean;
  onMore: () => void;
};

export function RecordsTable({ records, onOpen, hasMore, isLoading, onMore }: Props) {
  const { t } = useTranslation("records");
  const { t: common } = useTranslation("common");
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: records.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !isLoading && last >= records.length - 20) onMore();
  }, [hasMore, isLoading, last, records.length, onMore]);
  return (
    <>
      <div className={`${COLUMNS} h-9 border-b font-medium text-muted text-xs`} aria-hidden>
        <span className="max-md:hidden">{t("time")}</span>
        <span>{t("call")}</span>
        <span className="max-md:hidden">{t("server")}</span>
        <span className="max-md:hidden">{t("who")}</span>
        <span>{t("outcome")}</span>
        <span className="text-right">{t("took")}</span>
      </div>
      <div ref={box} className="max-h-[68dvh] overflow-y-auto">
        <ul aria-label={t("title")} className="relative" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => (
            <li
              key={records[item.index]?.id}
              className="absolute inset-x-0 top-0"
              style={{ height: ROW, translate: `0 ${item.start}px` }}
            >
              <Row record={records[item.index] as RecordView} onOpen={onOpen} />
            </li>
          ))}
        </ul>
      </div>
      <p className="border-t px-4 py-2 text-muted text-xs" role="status">
        {isLoading
          ? common("loading")
          : t(hasMore ? "shownMore" : "shown", { count: records.length })}
      </p>
    </>
  );
}

function Row({ record, onOpen }: { record: RecordView; onOpen: (id: string) => void }) {
  const { t } = useTranslation("records");
  const { moment, clock, duration } = useFormats();
  return (
    <button
      type="button"
      onClick={() => onOpen(record.id)}
      className={`${COLUMNS} h-11 w-full border-b text-left text-base hover:bg-hover/60 focus-visible:-outline-offset-2`}
    >
      <time
        dateTime={record.time}
        title={moment(record.time)}
        className="truncate text-muted text-sm max-md:hidden"
      >
        {clock(record.time)}
        <span className="ml-2 text-xs">{shortDay(record.time)}</span>
      </time>
      <span className="min-w-0 truncate">
        <span className="font-mono text-sm">{record.target ?? record.method}</span>
        {record.target && (
          <span className="ml-2 text-muted text-xs max-sm:hidden">{record.method}</span>
        )}
      </span>
      <span className="truncate text-muted text-sm max-md:hidden">{record.server ?? "–"}</span>
      <span className="truncate text-muted text-sm max-md:hidden">{record.principal_name}</span>
      <Badge tone={OUTCOME_TONES[record.outcome]} className="justify-self-start">
        {t(`outcomes.${record.outcome}`)}
      </Badge>
      <span className="text-right text-sm">{duration(record.total_ms)}</span>
    </button>
  );
}

function shortDay(time: string): string {
  const moment = new Date(time);
  return `${moment.getMonth() + 1}/${moment.getDate()}`;
}
