/** Every call of a project: filtered, opened one by one, taken along as a file. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { Download, ScrollText, X } from "lucide-react";
import { useTranslation } from "react-i18next";
import { serversQuery } from "@/api/servers";
import { Button, buttonStyle } from "@/components/Button";
import { Input, SearchInput, Select } from "@/components/Field";
import { Card, Empty, Failure, Page, SkeletonRows } from "@/components/Page";
import { exportAddress, recordsQuery } from "./query";
import { RecordDrawer } from "./RecordDrawer";
import { RecordsTable } from "./RecordsTable";
import { OUTCOMES, type Outcome, type RecordsSearch, SPANS, type Span } from "./search";

const route = getRouteApi("/inside/p/$project/records");
const ANY = "any";

export function RecordsPage() {
  const { t } = useTranslation("records");
  const { project } = route.useParams();
  const search = route.useSearch();
  const navigate = useNavigate();
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(
    recordsQuery(project, search),
  );
  const go = (changes: RecordsSearch, replace = true) =>
    navigate({
      to: "/p/$project/records",
      params: { project },
      search: { ...search, ...changes },
      replace,
      resetScroll: false,
    });
  const { record, ...filters } = search;
  const isFiltered = Object.keys(filters).length > 0;
  const clear = () => navigate({ to: "/p/$project/records", params: { project }, search: {} });
  const records = data?.pages.flatMap((page) => page.records);
  return (
    <Page
      title={t("title")}
      note={t("note")}
      actions={(["csv", "jsonl"] as const).map((format) => (
        <a
          key={format}
          href={exportAddress(project, search, format)}
          download
          className={buttonStyle({})}
        >
          <Download aria-hidden className="size-4" />
          {t(`formats.${format}`)}
        </a>
      ))}
    >
      <Filters project={project} search={search} onChange={go} />
      {isFiltered && (
        <Button kind="quiet" size="sm" className="-mt-3 self-start" onClick={clear}>
          <X aria-hidden className="size-3.5" />
          {t("clear")}
        </Button>
      )}
      {error && !data ? (
        <Failure error={error} retry={refetch} />
      ) : (
        <Card>
          {!records ? (
            <SkeletonRows rows={10} />
          ) : records.length === 0 ? (
            <Empty icon={ScrollText} title={isFiltered ? t("nothingFits") : t("empty.title")}>
              {isFiltered ? t("widen") : t("empty.next")}
            </Empty>
          ) : (
            <RecordsTable
              records={records}
              onOpen={(id) => go({ record: id }, false)}
              hasMore={hasNextPage}
              isLoading={isFetchingNextPage}
              onMore={fetchNextPage}
            />
          )}
        </Card>
      )}
      <RecordDrawer project={project} id={record} onClose={() => go({ record: undefined })} />
    </Page>
  );
}

type FiltersProps = {
  project: string;
  search: RecordsSearch;
  onChange: (changes: RecordsSearch) => void;
};

function Filters({ project, search, onChange }: FiltersProps) {
  const { t } = useTranslation("records");
  const { data: servers = [] } = useQuery(serversQuery(project));
  const names = new Set(servers.map((each) => each.name));
  // A server that is gone may still have records, and be asked for.
  if (search.server) names.add(search.server);
  const or = (value: string) => (value === ANY ? undefined : value);
  return (
    <search className="grid grid-cols-2 gap-2 md:grid-cols-3 xl:grid-cols-6">
      <SearchInput
        placeholder={t("tool")}
        value={search.tool ?? ""}
        onChange={(event) => onChange({ tool: event.target.value || undefined })}
      />
      <Select
        label={t("server")}
        value={search.server ?? ANY}
        onChange={(value) => onChange({ server: or(value) })}
        options={[
          { value: ANY, label: t("anyServer") },
          ...[...names].map((name) => ({ value: name, label: name })),
        ]}
      />
      <Select
        label={t("outcome")}
        value={search.outcome ?? ANY}
        onChange={(value) => onChange({ outcome: or(value) as Outcome | undefined })}
        options={[
          { value: ANY, label: t("anyOutcome") },
          ...OUTCOMES.map((value) => ({ value, label: t(`outcomes.${value}`) })),
        ]}
      />
      <Select
        label={t("span")}
        value={search.span ?? ANY}
        onChange={(value) => onChange({ span: or(value) as Span | undefined })}
        options={[
          { value: ANY, label: t("anySpan") },
          ...Object.keys(SPANS).map((value) => ({ value, label: t(`spans.${value}`) })),
        ]}
      />
      <Input
        aria-label={t("principal")}
        placeholder={t("principal")}
        value={search.principal ?? ""}
        onChange={(event) => onChange({ principal: event.target.value || undefined })}
      />
      <Input
        type="number"
        min={0}
        aria-label={t("slow")}
        placeholder={t("slow")}
        value={search.slow ?? ""}
        onChange={(event) => onChange({ slow: event.target.valueAsNumber || undefined })}
      />
    </search>
  );
}
