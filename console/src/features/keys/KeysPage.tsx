/** The API keys of a project: made, shown once, limited, revoked. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/api/client";
import { type Key, keysQuery } from "@/api/keys";
import { useIsOwner } from "@/api/me";
import { Badge, type Tone } from "@/components/Badge";
import { Button } from "@/components/Button";
import { type Column, DataTable } from "@/components/DataTable";
import { Confirm } from "@/components/Dialog";
import { Switch } from "@/components/Field";
import { useFormats } from "@/components/format";
import { Card, Empty, Failure, Page, SkeletonRows } from "@/components/Page";
import { complain, say } from "@/components/Toasts";
import { NewKeyDialog } from "./NewKeyDialog";
import type { KeysSearch } from "./search";

const route = getRouteApi("/inside/p/$project/keys");
const SOON = 7 * 86_400_000; // milliseconds

export type Condition = "active" | "soon" | "expired" | "revoked";
const TONES: Record<Condition, Tone> = {
  active: "ok",
  soon: "warn",
  expired: "bad",
  revoked: "neutral",
};

export function KeysPage() {
  const { t } = useTranslation("keys");
  const { t: common } = useTranslation("common");
  const { project } = route.useParams();
  const search = route.useSearch();
  const navigate = useNavigate();
  const isOwner = useIsOwner();
  const { data, error, refetch } = useQuery(keysQuery(project));
  const [leaving, setLeaving] = useState<Key | null>(null);
  const go = (changes: Partial<KeysSearch>) =>
    navigate({ to: "/p/$project/keys", params: { project }, search: { ...search, ...changes } });
  const add = (
    <Button
      kind="primary"
      barred={isOwner ? undefined : common("ownersOnly")}
      onClick={() => go({ dialog: "new" })}
    >
      <Plus aria-hidden className="size-4" />
      {t("new")}
    </Button>
  );
  const shown = data?.filter((key) => search.old || !isOver(conditionOf(key)));
  return (
    <Page title={t("title")} note={t("note")} actions={add}>
      {error && !data ? (
        <Failure error={error} retry={refetch} />
      ) : (
        <>
          <Switch
            label={t("showOld")}
            checked={search.old === true}
            onChange={(isOn) => go({ old: isOn || undefined })}
          />
          <Card>
            {!shown ? (
              <SkeletonRows />
            ) : shown.length === 0 ? (
              <Empty icon={KeyRound} title={t("empty.title")} actions={add}>
                {t("empty.next")}
              </Empty>
            ) : (
              <KeysTable keys={shown} onRevoke={setLeaving} />
            )}
          </Card>
        </>
      )}
      <NewKeyDialog
        project={project}
        isOpen={search.dialog === "new"}
        onClose={() => go({ dialog: undefined })}
      />
      <Revocation project={project} leaving={leaving} onClose={() => setLeaving(null)} />
    </Page>
  );
}

type RevocationProps = { project: string; leaving: Key | null; onClose: () => void };

function Revocation({ project, leaving, onClose }: RevocationProps) {
  const { t } = useTranslation("keys");
  const client = useQueryClient();
  const { ago } = useFormats();
  const revoke = async () => {
    if (!leaving) return;
    onClose();
    try {
      const params = { path: { project, key_id: leaving.id } };
      await api.DELETE("/api/v1/projects/{project}/keys/{key_id}", { params });
      say(t("revoked", { name: leaving.name }));
    } catch (failure) {
      complain(failure);
    }
    await client.invalidateQueries({ queryKey: keysQuery(project).queryKey });
  };
  return (
    <Confirm
      isOpen={leaving !== null}
      onClose={onClose}
      onConfirm={revoke}
      title={t("revokeTitle", { name: leaving?.name })}
      action={t("revoke")}
    >
      <p>
        {leaving?.last_used_at
          ? t("revokeUsed", { prefix: leaving.prefix, when: ago(leaving.last_used_at) })
          : t("revokeUnused", { prefix: leaving?.prefix })}
      </p>
    </Confirm>
  );
}

function KeysTable({ keys, onRevoke }: { keys: readonly Key[]; onRevoke: (key: Key) => void }) {
  const { t } = useTranslation("keys");
  const { t: common } = useTranslation("common");
  const { ago, day } = useFormats();
  const columns: Column<Key>[] = [
    {
      id: "name",
      header: t("name"),
      by: (key) => key.name.toLowerCase(),
      cell: (key) => (
        <div>
          <p className="font-medium">{key.name}</p>
          <code className="font-mono text-muted text-xs">{`${key.prefix}…`}</code>
        </div>
      ),
    },
    {
      id: "condition",
      header: t("condition"),
      by: (key) => conditionOf(key),
      cell: (key) => (
        <Badge tone={TONES[conditionOf(key)]}>{t(`conditions.${conditionOf(key)}`)}</Badge>
      ),
    },
    {
      id: "role",
      header: t("role"),
      kind: "wide",
      by: (key) => key.role,
      cell: (key) => t(`roles.${key.role}`),
    },
    { id: "limits", header: t("limits"), kind: "wide", cell: (key) => <Limits limited={key} /> },
    {
      id: "used",
      header: t("used"),
      kind: "wide",
      by: (key) => key.last_used_at ?? "",
      cell: (key) => (key.last_used_at ? ago(key.last_used_at) : common("never")),
    },
    {
      id: "expires",
      header: t("expires"),
      kind: "wide",
      by: (key) => key.expires_at ?? "9",
      cell: (key) => (key.expires_at ? day(key.expires_at) : common("never")),
    },
    {
      id: "revoke",
      header: common("actions"),
      isSilent: true,
      kind: "number",
      cell: (key) =>
        key.revoked_at === null && (
          <Button size="sm" kind="quiet" className="text-bad" onClick={() => onRevoke(key)}>
            {t("revoke")}
          </Button>
        ),
    },
  ];
  return <DataTable label={t("title")} rows={keys} columns={columns} idOf={(key) => key.id} />;
}

function Limits({ limited }: { limited: Key }) {
  const { t } = useTranslation("keys");
  const { number } = useFormats();
  const servers = limited.access && Object.keys(limited.access);
  const rate = limited.rate_limit;
  if (!servers && !rate) return <span className="text-muted">{t("unlimited")}</span>;
  return (
    <span className="flex flex-wrap gap-1">
      {servers && <Badge>{servers.join(", ") || t("nothingSeen")}</Badge>}
      {rate && <Badge>{t(`rates.${rate.per}`, { calls: number(rate.calls) })}</Badge>}
    </span>
  );
}

/** How a key is now. */
function conditionOf(key: Key): Condition {
  if (key.revoked_at) return "revoked";
  if (!key.expires_at) return "active";
  const left = new Date(key.expires_at).getTime() - Date.now();
  if (left <= 0) return "expired";
  return left < SOON ? "soon" : "active";
}

function isOver(condition: Condition): boolean {
  return condition === "revoked" || condition === "expired";
}
