/** The records as a list of which only what is seen is drawn; more are read near its end. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { LoaderCircle } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Badge, type Tone } from "@/components/Badge";
import { cx } from "@/components/cx";
import { useFormats } from "@/components/format";
import type { CallRecord } from "./RecordsPage";
import type { Outcome } from "./search";

const ROW = 40;
const NEAR = 15; // rows before the end, where more are asked for

export const TONES: Record<Outcome, Tone> = {
  ok: "ok",
  refused: "warn",
  failed: "bad",
  tool_error: "bad",
  input_required: "accent",
  cancelled: "neutral",
};

type Props = {
  records: readonly CallRecord[];
  opened: string | undefined;
  onOpen: (record: CallRecord) => void;
  onEnd: () => void;
  onTop: (isTop: boolean) => void;
  isMore: boolean;
};

const columns =
  "grid items-center gap-x-3 px-4 grid-cols-[4.75rem_minmax(0,1fr)_auto] md:grid-cols-[5.5rem_7.5rem_minmax(0,1.6fr)_minmax(0,1fr)_minmax(0,1fr)_5rem]";

export function RecordTable({ records, opened, onOpen, onEnd, onTop, isMore }: Props) {
  const { t } = useTranslation("records");
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: records.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const drawn = virtual.getVirtualItems();
  const last = drawn.at(-1)?.index ?? 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: where the list is drawn to decides.
  useEffect(() => {
    if (last >= records.length - NEAR) onEnd();
  }, [last, records.length]);
  const move = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const buttons = [...(scroller.current?.querySelectorAll("button") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    buttons[Math.max(0, Math.min(buttons.length - 1, at + step))]?.focus();
  };
  return (
    <>
      <div className={cx(columns, "h-9 border-b font-medium text-muted text-xs")} aria-hidden>
        <span>{t("columns.time")}</span>
        <span className="max-md:hidden">{t("columns.outcome")}</span>
        <span>{t("columns.call")}</span>
        <span className="max-md:hidden">{t("columns.server")}</span>
        <span className="max-md:hidden">{t("columns.caller")}</span>
        <span className="text-right">{t("columns.took")}</span>
      </div>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: arrows move between its buttons. */}
      <div
        ref={scroller}
        onScroll={(event) => onTop(event.currentTarget.scrollTop < ROW)}
        onKeyDown={move}
        className="max-h-[calc(100dvh-16rem)] min-h-64 overflow-y-auto"
      >
        <ul aria-label={t("title")} className="relative" style={{ height: virtual.getTotalSize() }}>
          {drawn.map((item) => {
            const record = records[item.index] as CallRecord;
            return (
              <li
                key={record.id}
                aria-setsize={isMore ? -1 : records.length}
                aria-posinset={item.index + 1}
                className="absolute inset-x-0 border-b"
                style={{ top: item.start, height: ROW }}
              >
                <Row record={record} isOpen={record.id === opened} onOpen={onOpen} />
              </li>
            );
          })}
        </ul>
        {isMore && (
          <p className="flex h-10 items-center justify-center text-muted">
            <LoaderCircle aria-hidden className="size-4 animate-spin" />
          </p>
        )}
      </div>
    </>
  );
}

type RowProps = { record: CallRecord; isOpen: boolean; onOpen: (record: CallRecord) => void };

function Row({ record, isOpen, onOpen }: RowProps) {
  const { t } = useTranslation("records");
  const { clock, duration, moment } = useFormats();
  return (
    <button
      type="button"
      aria-current={isOpen || undefined}
      onClick={() => onOpen(record)}
      className={cx(
        columns,
        "size-full text-left text-sm hover:bg-hover/60 focus-visible:-outline-offset-2 aria-[current]:bg-accent-soft",
      )}
    >
      <time dateTime={record.time} title={moment(record.time)} className="text-muted">
        {clock(record.time)}
      </time>
      <span className="max-md:hidden">
        <Badge tone={TONES[record.outcome]}>{t(`outcomes.${record.outcome}`)}</Badge>
      </span>
      <span className="flex min-w-0 items-center gap-2">
        <span
          aria-hidden
          className={cx("size-2 shrink-0 rounded-full md:hidden", dots[TONES[record.outcome]])}
        />
        <span className="truncate font-mono text-xs">{record.target ?? record.method}</span>
        {record.target && (
          <span className="truncate text-muted text-xs max-lg:hidden">{record.method}</span>
        )}
      </span>
      <span className="truncate text-muted max-md:hidden">{record.server ?? "–"}</span>
      <span className="truncate text-muted max-md:hidden">{record.principal_name}</span>
      <span className="whitespace-nowrap text-right">{duration(record.total_ms)}</span>
    </button>
  );
}

const dots: Record<Tone, string> = {
  neutral: "bg-line-strong",
  accent: "bg-accent",
  ok: "bg-ok",
  warn: "bg-warn",
  bad: "bg-bad",
};
