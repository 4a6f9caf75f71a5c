/** The servers of a project. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Server as ServerIcon } from "lucide-react";
import { useTranslation } from "react-i18next";
import { type Server, serversQuery } from "@/api/servers";
import { StatusMark } from "@/components/Badge";
import { type Column, DataTable } from "@/components/DataTable";
import { Card, Empty, Failure, Page, SkeletonRows } from "@/components/Page";

const route = getRouteApi("/inside/p/$project/servers");

export function ServersPage() {
  const { t } = useTranslation("servers");
  const { project } = route.useParams();
  const { data, error, refetch } = useQuery(serversQuery(project));
  const columns: Column<Server>[] = [
    { id: "name", header: t("name"), cell: (row) => row.name, by: (row) => row.name },
    { id: "status", header: t("status"), cell: (row) => <StatusMark status={row.status} /> },
  ];
  return (
    <Page title={t("title")} note={t("note")}>
      <Card>
        {error ? (
          <Failure error={error} retry={refetch} />
        ) : !data ? (
          <SkeletonRows />
        ) : data.length === 0 ? (
          <Empty icon={ServerIcon} title={t("empty")} />
        ) : (
          <DataTable label={t("title")} rows={data} columns={columns} idOf={(row) => row.id} />
        )}
      </Card>
    </Page>
  );
}
