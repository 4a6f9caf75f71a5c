/** Which version runs, whether it is well, and whose work it is built on. */

import licences from "virtual:licences";
import { useQuery } from "@tanstack/react-query";
import { CircleAlert, CircleCheck, ExternalLink } from "lucide-react";
import { useTranslation } from "react-i18next";
import { meQuery } from "@/api/me";
import { Facts } from "@/components/Facts";
import { Card, Failure, Page, Skeleton } from "@/components/Page";
import { Checkup } from "./Checkup";

type Ready = { status: string; missing: Record<string, string> };
type Health = { status: string; version: string };

const LINKS = [
  { href: "/api/docs", word: "docs" },
  { href: "/api/openapi.json", word: "openapi" },
  { href: "/readyz", word: "readyz" },
  { href: "/metrics", word: "metrics" },
] as const;

export function AboutPage() {
  const { t } = useTranslation("about");
  const { data: me } = useQuery(meQuery);
  const { data, error } = useQuery({
    queryKey: ["health"],
    queryFn: async () => {
      const [health, ready] = await Promise.all([fetch("/healthz"), fetch("/readyz")]);
      return { ...((await health.json()) as Health), ready: (await ready.json()) as Ready };
    },
  });
  const missing = Object.entries(data?.ready.missing ?? {});
  return (
    <Page title={t("title")} note={t("note")}>
      {error && <Failure error={error} />}
      {me?.is_admin && <Checkup />}
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <Card title={t("gateway")}>
          <div className="flex flex-col gap-4 p-4">
            {data ? (
              <>
                <Facts
                  facts={[
                    [t("version"), data.version],
                    [t("address"), location.origin],
                    [t("licence"), t("apache")],
                  ]}
                />
                <ul className="flex flex-col gap-2">
                  {missing.length === 0 && (
                    <li className="flex items-center gap-2">
                      <CircleCheck aria-hidden className="size-4 text-ok" />
                      {t("ready")}
                    </li>
                  )}
                  {missing.map(([part, why]) => (
                    <li key={part} className="flex items-center gap-2">
                      <CircleAlert aria-hidden className="size-4 text-bad" />
                      {t("missing", { part, why })}
                    </li>
                  ))}
                </ul>
              </>
            ) : (
              <Skeleton className="h-28" />
            )}
            <p className="text-muted text-sm">{t("doctor")}</p>
            <ul className="flex flex-wrap gap-x-5 gap-y-2 text-sm">
              {LINKS.map(({ href, word }) => (
                <li key={href}>
                  <a
                    href={href}
                    target="_blank"
                    rel="noreferrer"
                    className="inline-flex items-center gap-1.5 text-accent hover:underline"
                  >
                    {t(`links.${word}`)}
                    <ExternalLink aria-hidden className="size-3.5" />
                  </a>
                </li>
              ))}
            </ul>
          </div>
        </Card>
        <Card title={t("built")}>
          <ul className="divide-y">
            {licences.map(({ name, version, licence }) => (
              <li key={name} className="flex items-baseline gap-3 px-4 py-1.5 text-sm">
                <span className="min-w-0 flex-1 truncate font-mono">{name}</span>
                <span className="text-muted">{version}</span>
                <span className="w-24 text-right text-muted">{licence}</span>
              </li>
            ))}
          </ul>
        </Card>
      </div>
    </Page>
  );
}
