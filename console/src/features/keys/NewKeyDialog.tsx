/** Making a key: its role, its end, its limits; the secret is shown once. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { keysQuery, makeKey, ROLES, type Role } from "@/api/keys";
import { serversQuery } from "@/api/servers";
import { Button } from "@/components/Button";
import { Code } from "@/components/Copy";
import { Dialog } from "@/components/Dialog";
import { Checkbox, Field, FieldGroup, Input, Select } from "@/components/Field";
import { Failure } from "@/components/Page";
import { limitOf, NO_RATE, RateField } from "@/components/RateField";

const LIVES = ["never", "7", "30", "90", "365"] as const; // days
type Life = (typeof LIVES)[number];
type Props = { project: string; isOpen: boolean; onClose: () => void };

export function NewKeyDialog({ project, isOpen, onClose }: Props) {
  const { t } = useTranslation("keys");
  const { t: common } = useTranslation("common");
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("developer");
  const [life, setLife] = useState<Life>("never");
  const [seen, setSeen] = useState<string[] | null>(null);
  const [rate, setRate] = useState(NO_RATE);
  const make = useMutation({
    mutationFn: () =>
      makeKey(project, {
        name: name.trim(),
        role,
        expires_at: life === "never" ? null : inDays(Number(life)),
        access: seen && Object.fromEntries(seen.map((server) => [server, ["*"]])),
        rate_limit: limitOf(rate),
      }),
    onSuccess: () => client.invalidateQueries({ queryKey: keysQuery(project).queryKey }),
  });
  const close = () => {
    onClose();
    make.reset();
    setName("");
    setSeen(null);
    setRate(NO_RATE);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  if (make.data) {
    return (
      <Dialog
        isOpen={isOpen}
        onClose={close}
        title={t("made", { name: make.data.key.name })}
        note={t("once")}
        footer={
          <Button kind="primary" onClick={close}>
            {t("kept")}
          </Button>
        }
      >
        <Code label={t("secret")} text={make.data.secret} wrap />
      </Dialog>
    );
  }
  return (
    <Dialog
      isOpen={isOpen}
      onClose={close}
      title={t("new")}
      footer={
        <>
          <Button onClick={close}>{common("cancel")}</Button>
          <Button
            kind="primary"
            type="submit"
            form="new-key"
            busy={make.isPending}
            barred={!name.trim() && t("nameFirst")}
          >
            {t("make")}
          </Button>
        </>
      }
    >
      <form id="new-key" onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t("name")} hint={t("nameHint")}>
          <Input autoFocus value={name} onChange={(event) => setName(event.target.value)} />
        </Field>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t("role")} hint={t(`roleNotes.${role}`)}>
            <Select
              value={role}
              onChange={(value) => {
                setRole(value as Role);
                if (value === "owner") setSeen(null);
              }}
              options={ROLES.map((value) => ({ value, label: t(`roles.${value}`) }))}
            />
          </Field>
          <Field label={t("expires")}>
            <Select
              value={life}
              onChange={(value) => setLife(value as Life)}
              options={LIVES.map((value) => ({ value, label: t(`lives.${value}`) }))}
            />
          </Field>
        </div>
        {role !== "owner" && <Access project={project} seen={seen} onChange={setSeen} />}
        <RateField hint={t("rateHint")} value={rate} onChange={setRate} />
        {make.isError && <Failure error={make.error} />}
      </form>
    </Dialog>
  );
}

type AccessProps = {
  project: string;
  seen: string[] | null;
  onChange: (seen: string[] | null) => void;
};

function Access({ project, seen, onChange }: AccessProps) {
  const { t } = useTranslation("keys");
  const { data: servers = [] } = useQuery(serversQuery(project));
  return (
    <FieldGroup title={t("access")}>
      <Checkbox
        label={t("accessAll")}
        hint={t("accessAllHint")}
        checked={seen === null}
        onChange={(isOn) => onChange(isOn ? null : [])}
      />
      {seen && (
        <div className="grid max-h-44 gap-2 overflow-y-auto rounded-md border p-3 sm:grid-cols-2">
          {servers.map(({ id, name }) => (
            <Checkbox
              key={id}
              label={name}
              checked={seen.includes(name)}
              onChange={(isOn) =>
                onChange(isOn ? [...seen, name] : seen.filter((each) => each !== name))
              }
            />
          ))}
        </div>
      )}
    </FieldGroup>
  );
}

function inDays(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString();
}
