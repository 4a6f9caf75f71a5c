/** Connecting a client: what to paste, where, with a key made on the spot. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { KeyRound, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, brought, type Schemas } from "@/api/client";
import { keysQuery, makeKey } from "@/api/keys";
import { useIsOwner } from "@/api/me";
import { Button } from "@/components/Button";
import { Code, CopyButton } from "@/components/Copy";
import { cx } from "@/components/cx";
import { Card, Failure, Page, Skeleton } from "@/components/Page";
import { complain } from "@/components/Toasts";
import type { ConnectSearch } from "./search";

type Client = Schemas["ClientView"];

const route = getRouteApi("/inside/p/$project/connect");
const FIRST = "claude-code";

export function ConnectPage() {
  const { t } = useTranslation("connect");
  const { project } = route.useParams();
  const search = route.useSearch();
  const navigate = useNavigate();
  const [secrets, setSecrets] = useState<Record<string, string>>({});
  const { data: clients, error } = useQuery({
    queryKey: ["project", project, "clients"],
    queryFn: () =>
      brought(api.GET("/api/v1/projects/{project}/clients", { params: { path: { project } } })),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const chosen =
    clients?.find((each) => each.id === search.client) ??
    clients?.find((each) => each.id === FIRST);
  const go = (changes: Partial<ConnectSearch>) =>
    navigate({
      to: "/p/$project/connect",
      params: { project },
      search: { ...search, ...changes },
      replace: true,
      resetScroll: false,
    });
  return (
    <Page title={t("title")} note={t("note")}>
      {error && <Failure error={error} />}
      <div className="grid items-start gap-5 lg:grid-cols-[15rem_minmax(0,1fr)]">
        <nav
          aria-label={t("clients")}
          className="grid grid-cols-2 gap-1.5 sm:grid-cols-3 lg:grid-cols-1"
        >
          {clients
            ? clients.map((client) => (
                <button
                  key={client.id}
                  type="button"
                  aria-pressed={client.id === chosen?.id}
                  onClick={() => go({ client: client.id })}
                  className={cx(
                    "flex h-10 items-center gap-2.5 rounded-md border px-3 text-left font-medium text-sm",
                    client.id === chosen?.id
                      ? "border-accent bg-accent-soft text-accent"
                      : "bg-surface hover:bg-hover",
                  )}
                >
                  <Initials title={client.title} />
                  <span className="truncate">{client.title}</span>
                </button>
              ))
            : Array.from({ length: 13 }, (_, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike.
                <Skeleton key={index} className="h-10" />
              ))}
        </nav>
        {chosen ? (
          <Configuration
            key={chosen.id}
            project={project}
            client={chosen}
            isEach={search.each === true}
            onEach={(isEach) => go({ each: isEach || undefined })}
            secret={secrets[chosen.id]}
            onSecret={(secret) => setSecrets({ ...secrets, [chosen.id]: secret })}
          />
        ) : (
          <Skeleton className="h-96" />
        )}
      </div>
    </Page>
  );
}

type Props = {
  project: string;
  client: Client;
  isEach: boolean;
  onEach: (isEach: boolean) => void;
  secret: string | undefined;
  onSecret: (secret: string) => void;
};

function Configuration({ project, client, isEach, onEach, secret, onSecret }: Props) {
  const { t } = useTranslation("connect");
  const { data, error } = useQuery({
    queryKey: ["project", project, "servers", "configuration", client.id, isEach, secret],
    queryFn: () =>
      brought(
        api.POST("/api/v1/projects/{project}/clients/{client}", {
          params: { path: { project, client: client.id } },
          body: { unified: !isEach, key: secret ?? null },
        }),
      ),
    placeholderData: (previous) => previous,
  });
  return (
    <Card>
      <div className="flex flex-col gap-5 p-4 sm:p-5">
        <Step number={1} title={t("key.title")}>
          <KeyStep project={project} client={client} secret={secret} onSecret={onSecret} />
        </Step>
        <Step number={2} title={t("what.title")}>
          <fieldset className="flex flex-wrap gap-2">
            <legend className="sr-only">{t("what.title")}</legend>
            {[false, true].map((value) => (
              <label
                key={String(value)}
                className={cx(
                  "flex-1 cursor-pointer rounded-md border p-3 has-focus-visible:outline-2 has-focus-visible:outline-accent sm:min-w-60",
                  isEach === value ? "border-accent bg-accent-soft" : "hover:bg-hover",
                )}
              >
                <input
                  type="radio"
                  name="unified"
                  className="sr-only"
                  checked={isEach === value}
                  onChange={() => onEach(value)}
                />
                <span className="block font-medium text-sm">
                  {value ? t("what.each") : t("what.all")}
                </span>
                <span className="block text-muted text-xs">
                  {value ? t("what.eachNote") : t("what.allNote")}
                </span>
              </label>
            ))}
          </fieldset>
        </Step>
        <Step number={3} title={t("paste.title")}>
          <p className="mb-2 text-base text-muted">{client.path_hint}</p>
          {error ? (
            <Failure error={error} />
          ) : data ? (
            <>
              <Code label={t("paste.title")} text={data.text} />
              {!secret && (
                <p className="mt-2 flex items-center gap-1.5 text-muted text-sm">
                  <TriangleAlert aria-hidden className="size-4 text-warn" />
                  {t("paste.withoutKey")}
                </p>
              )}
              <div className="mt-3">
                <CopyButton kind="primary" text={data.text} label={t("paste.copy")} />
              </div>
            </>
          ) : (
            <Skeleton className="h-48" />
          )}
        </Step>
      </div>
    </Card>
  );
}

function Step({
  number,
  title,
  children,
}: {
  number: number;
  title: string;
  children: React.ReactNode;
}) {
  return (
    <section className="grid grid-cols-[1.75rem_minmax(0,1fr)] gap-x-3">
      <span
        aria-hidden
        className="grid size-6 place-items-center rounded-full bg-accent-soft font-semibold text-accent text-xs"
      >
        {number}
      </span>
      <div className="min-w-0">
        <h2 className="mb-2 font-semibold text-base">{title}</h2>
        {children}
      </div>
    </section>
  );
}

type KeyProps = Pick<Props, "project" | "client" | "secret" | "onSecret">;

function KeyStep({ project, client, secret, onSecret }: KeyProps) {
  const { t } = useTranslation("connect");
  const { t: common } = useTranslation("common");
  const isOwner = useIsOwner();
  const queries = useQueryClient();
  const make = useMutation({
    mutationFn: () => makeKey(project, { name: client.title, role: "developer" }),
    onSuccess: async (made) => {
      onSecret(made.secret);
      await queries.invalidateQueries({ queryKey: keysQuery(project).queryKey });
    },
    onError: complain,
  });
  if (secret) {
    return (
      <div className="flex flex-col gap-2">
        <p className="text-base text-muted">{t("key.made", { name: client.title })}</p>
        <Code label={t("key.title")} text={secret} wrap />
      </div>
    );
  }
  return (
    <div className="flex flex-wrap items-center gap-3">
      <Button
        kind="primary"
        busy={make.isPending}
        barred={isOwner ? undefined : common("ownersOnly")}
        onClick={() => make.mutate()}
      >
        <KeyRound aria-hidden className="size-4" />
        {t("key.make", { name: client.title })}
      </Button>
      <Link
        to="/p/$project/keys"
        params={{ project }}
        className="text-muted text-sm underline hover:text-ink"
      >
        {t("key.manage")}
      </Link>
    </div>
  );
}

function Initials({ title }: { title: string }) {
  return (
    <span
      aria-hidden
      className="grid size-6 shrink-0 place-items-center rounded-sm bg-hover font-semibold text-[0.625rem] text-muted"
    >
      {title
        .split(/\s+/)
        .map((word) => word.slice(0, 1))
        .join("")
        .slice(0, 2)
        .toUpperCase()}
    </span>
  );
}
