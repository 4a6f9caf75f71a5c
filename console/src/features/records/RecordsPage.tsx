/** Every call that came to the project: found by filters, looked at one by one, taken along. */
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ArrowUp, Download, FilterX, ScrollText } from "lucide-react";
import { useCallback, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, brought, type Schemas } from "@/api/client";
import { useNewRecords } from "@/api/statistics";
import { Button, buttonStyle } from "@/components/Button";
import { Menu, MenuItem } from "@/components/Menu";
import { Card, Empty, Failure, Page, SkeletonRows } from "@/components/Page";
import { Filters } from "./Filters";
import { RecordDrawer } from "./RecordDrawer";
import { RecordTable } from "./RecordTable";
import { countOf, queryOf, type RecordsSearch } from "./search";

const route = getRouteApi("/inside/p/$project/records");
const PAGE = 100;
const PACE = 1500; // milliseconds between two looks at new records

export type CallRecord = Schemas["RecordView"];

export function RecordsPage() {
  const { t } = useTranslation("records");
  const { project } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const change = useCallback(
    (next: Partial<RecordsSearch>, replace = false) =>
      navigate({ search: (known) => ({ ...known, ...next }), replace }),
    [navigate],
  );
  const { record: opened, ...filters } = search;
  const found = useRecords(project, filters);
  const count = countOf(filters);
  return (
    <Page
      title={t("title")}
      note={t("note")}
      actions={<Export project={project} filters={filters} />}
    >
      <Filters project={project} filters={filters} onChange={change} />
      <Card className="relative">
        {found.error ? (
          <div className="p-4">
            <Failure error={found.error} retry={found.refetch} />
          </div>
        ) : !found.records ? (
          <SkeletonRows rows={12} />
        ) : found.records.length === 0 ? (
          <Nothing project={project} isFiltered={count > 0} />
        ) : (
          <>
            {found.isBehind && (
              <div className="absolute inset-x-0 top-11 z-20 flex justify-center">
                <Button kind="primary" size="sm" onClick={found.renew}>
                  <ArrowUp aria-hidden className="size-3.5" />
                  {t("newer")}
                </Button>
              </div>
            )}
            <RecordTable
              records={found.records}
              opened={opened}
              onOpen={(record) => change({ record: record.id }, opened !== undefined)}
              onEnd={found.more}
              onTop={found.top}
              isMore={found.isMore}
            />
          </>
        )}
      </Card>
      <RecordDrawer
        project={project}
        id={opened}
        known={found.records?.find((each) => each.id === opened)}
        onClose={() => change({ record: undefined })}
        onFilter={(next) => navigate({ search: next })}
      />
    </Page>
  );
}

/** The records that fit, read on demand; new ones come by themselves while the list is at its top. */
function useRecords(project: string, filters: RecordsSearch) {
  const client = useQueryClient();
  const [isTop, setTop] = useState(true);
  const [isBehind, setBehind] = useState(false);
  const queryKey = ["records", project, filters];
  const query = useInfiniteQuery({
    queryKey,
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam: cursor }) => {
      const params = { path: { project }, query: { ...queryOf(filters), limit: PAGE, cursor } };
      return brought(api.GET("/api/v1/projects/{project}/records", { params }));
    },
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
  const renew = () => {
    setBehind(false);
    // From the first page on: what was read below is old now.
    return client.resetQueries({ queryKey });
  };
  useNewRecords(project, PACE, () => {
    if (isTop && (query.data?.pages.length ?? 0) <= 1) query.refetch();
    else setBehind(true);
  });
  return {
    records: query.data?.pages.flatMap((page) => page.records),
    error: query.error,
    refetch: () => void query.refetch(),
    isMore: query.hasNextPage,
    more: () => {
      if (query.hasNextPage && !query.isFetchingNextPage) query.fetchNextPage();
    },
    top: setTop,
    isBehind,
    renew,
  };
}

function Nothing({ project, isFiltered }: { project: string; isFiltered: boolean }) {
  const { t } = useTranslation("records");
  return isFiltered ? (
    <Empty
      icon={FilterX}
      title={t("none.title")}
      actions={
        <Link to="/p/$project/records" params={{ project }} className={buttonStyle({})}>
          {t("clear")}
        </Link>
      }
    >
      {t("none.next")}
    </Empty>
  ) : (
    <Empty
      icon={ScrollText}
      title={t("empty.title")}
      actions={
        <Link
          to="/p/$project/playground"
          params={{ project }}
          className={buttonStyle({ kind: "primary" })}
        >
          {t("empty.action")}
        </Link>
      }
    >
      {t("empty.next")}
    </Empty>
  );
}

function Export({ project, filters }: { project: string; filters: RecordsSearch }) {
  const { t } = useTranslation("records");
  const save = (format: "csv" | "jsonl") => {
    const query = new URLSearchParams({ format });
    for (const [name, value] of Object.entries(queryOf(filters))) {
      if (value !== undefined) query.set(name, String(value));
    }
    const link = document.createElement("a");
    link.href = `/api/v1/projects/${encodeURIComponent(project)}/records/export?${query}`;
    link.download = `records.${format}`;
    link.click();
  };
  return (
    <Menu
      trigger={
        <Button>
          <Download aria-hidden className="size-4" />
          {t("export")}
        </Button>
      }
    >
      <MenuItem onSelect={() => save("csv")}>{t("asCsv")}</MenuItem>
      <MenuItem onSelect={() => save("jsonl")}>{t("asJson")}</MenuItem>
    </Menu>
  );
}
