/** A table of rows that open, sorted by their columns; long ones draw only what is seen. */
import {
  type ColumnDef,
  createSortedRowModel,
  rowSortingFeature,
  type SortingState,
  sortFns,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { type ReactNode, useRef, useState } from "react";
import { cx } from "./cx";

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns,
});

const ROW = 44;
const VIRTUAL_FROM = 60;

export type Column<Row> = {
  id: string;
  header: string;
  cell: (row: Row) => ReactNode;
  /** What to sort by; without it the column cannot be sorted. */
  by?: (row: Row) => string | number;
  /** `wide` columns are left out on phones, `number` ones are flush right. */
  kind?: "number" | "wide" | "wide-number";
  /** Its header is only read out, as that of a column of buttons. */
  isSilent?: boolean;
  className?: string;
};

type Props<Row> = {
  label: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  idOf: (row: Row) => string;
  onOpen?: (row: Row) => void;
  className?: string;
};

export function DataTable<Row extends object>({
  label,
  rows,
  columns,
  idOf,
  onOpen,
  className,
}: Props<Row>) {
  const [sorting, setSorting] = useState<SortingState>([]);
  const defined = columns.map(
    (column): ColumnDef<typeof features, Row> => ({
      id: column.id,
      accessorFn: (row) => column.by?.(row) ?? "",
      enableSorting: Boolean(column.by),
    }),
  );
  const table = useTable({
    features,
    data: rows,
    columns: defined,
    getRowId: idOf,
    state: { sorting },
    onSortingChange: setSorting,
  });
  const sorted = table.getRowModel().rows;
  const scroller = useRef<HTMLDivElement>(null);
  const isVirtual = sorted.length >= VIRTUAL_FROM;
  const virtual = useVirtualizer({
    count: sorted.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 6,
    enabled: isVirtual,
  });
  const drawn = isVirtual ? virtual.getVirtualItems() : [];
  const shown = isVirtual ? drawn.flatMap((item) => sorted[item.index] ?? []) : sorted;
  const above = drawn[0]?.start ?? 0;
  const below = isVirtual ? virtual.getTotalSize() - (drawn.at(-1)?.end ?? 0) : 0;
  const headers = table.getHeaderGroups()[0]?.headers ?? [];
  return (
    <div
      ref={scroller}
      className={cx("overflow-x-auto", isVirtual && "max-h-[70dvh] overflow-y-auto", className)}
      {...(isVirtual ? { tabIndex: 0, role: "region", "aria-label": label } : {})}
    >
      <table
        className="w-full border-separate border-spacing-0 text-base"
        aria-label={label}
        aria-rowcount={rows.length}
      >
        <thead>
          <tr>
            {headers.map((header, index) => {
              const column = columns[index] as Column<Row>;
              const direction = header.column.getIsSorted();
              return (
                <th
                  key={header.id}
                  scope="col"
                  aria-sort={
                    direction ? (direction === "asc" ? "ascending" : "descending") : undefined
                  }
                  className={cx(
                    "sticky top-0 z-10 h-9 whitespace-nowrap border-b bg-surface px-4 text-left font-medium text-muted text-xs",
                    styleOf(column),
                  )}
                >
                  {column.by ? (
                    <button
                      type="button"
                      onClick={header.column.getToggleSortingHandler()}
                      className="inline-flex items-center gap-1 hover:text-ink"
                    >
                      {column.header}
                      {direction === "asc" && <ArrowUp aria-hidden className="size-3" />}
                      {direction === "desc" && <ArrowDown aria-hidden className="size-3" />}
                    </button>
                  ) : (
                    <span className={column.isSilent ? "sr-only" : undefined}>{column.header}</span>
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          <Gap height={above} />
          {shown.map((row) => (
            <tr
              key={row.id}
              onClick={(event) => onOpen && !isControl(event.target) && onOpen(row.original)}
              className={cx("group", onOpen && "cursor-pointer hover:bg-hover/60")}
            >
              {columns.map((column) => (
                <td
                  key={column.id}
                  className={cx("h-11 border-b px-4 py-1.5 group-last:border-b-0", styleOf(column))}
                >
                  {column.cell(row.original)}
                </td>
              ))}
            </tr>
          ))}
          <Gap height={below} />
        </tbody>
      </table>
    </div>
  );
}

function Gap({ height }: { height: number }) {
  return height > 0 ? (
    <tr aria-hidden>
      <td style={{ height, padding: 0 }} />
    </tr>
  ) : null;
}

function styleOf<Row>(column: Column<Row>): string {
  return cx(
    (column.kind === "wide" || column.kind === "wide-number") && "max-md:hidden",
    (column.kind === "number" || column.kind === "wide-number") && "text-right",
    column.className,
  );
}

/** Tells whether a click was meant for something within the row. */
function isControl(target: EventTarget): boolean {
  return (
    target instanceof Element && target.closest("a, button, input, label, [role=menuitem]") !== null
  );
}
