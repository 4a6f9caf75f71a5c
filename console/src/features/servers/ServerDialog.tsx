/** Adding and changing a server: a tab for each transport, and a try before it is saved. */
import { standardSchemaResolver } from "@hookform/resolvers/standard-schema";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { PlugZap } from "lucide-react";
import { Controller, type UseFormReturn, useForm } from "react-hook-form";
import { useTranslation } from "react-i18next";
import type { Server } from "@/api/servers";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Field, Input, Optional, Textarea } from "@/components/Field";
import { KeyValues } from "@/components/KeyValues";
import { Failure } from "@/components/Page";
import { TabPanel, Tabs } from "@/components/Tabs";
import { say } from "@/components/Toasts";
import { saveServer, tryServer } from "./actions";
import {
  bodyOf,
  cutCommand,
  type DefinitionForm,
  definitionForm,
  formOf,
  TRANSPORTS,
  type Transport,
} from "./definition";
import { TrialReport } from "./TrialReport";

type Props = { project: string; server?: Server; isOpen: boolean; onClose: () => void };
const EXAMPLES = {
  command: "npx -y @modelcontextprotocol/server-everything",
  url: "https://example.com/mcp",
};

type Form = UseFormReturn<DefinitionForm>;

export function ServerDialog({ project, server, isOpen, onClose }: Props) {
  const { t } = useTranslation("servers");
  const { t: common } = useTranslation("common");
  const client = useQueryClient();
  const form = useForm<DefinitionForm>({
    resolver: standardSchemaResolver(definitionForm),
    values: formOf(server),
    resetOptions: { keepDirtyValues: true },
  });
  const trial = useMutation({
    mutationFn: (values: DefinitionForm) => tryServer(project, bodyOf(values), server?.name),
  });
  const close = () => {
    onClose();
    form.reset(formOf(server));
    trial.reset();
    save.reset();
  };
  const save = useMutation({
    mutationFn: (values: DefinitionForm) => saveServer(client, project, bodyOf(values), server),
    onSuccess: (saved) => {
      close();
      say(server ? t("saved", { name: saved.name }) : t("added", { name: saved.name }));
    },
  });
  return (
    <Dialog
      isOpen={isOpen}
      onClose={close}
      size="lg"
      title={server ? t("editTitle", { name: server.name }) : t("addTitle")}
      footer={
        <>
          <Button
            className="mr-auto"
            busy={trial.isPending}
            onClick={form.handleSubmit((values) => trial.mutate(values))}
          >
            <PlugZap aria-hidden className="size-4" />
            {t("test")}
          </Button>
          <Button onClick={close}>{common("cancel")}</Button>
          <Button
            kind="primary"
            busy={save.isPending}
            onClick={form.handleSubmit((values) => save.mutate(values))}
          >
            {server ? common("save") : t("add")}
          </Button>
        </>
      }
    >
      <form
        className="flex flex-col gap-4"
        onSubmit={form.handleSubmit((values) => save.mutate(values))}
      >
        <button type="submit" hidden />
        <Names form={form} isNew={!server} />
        <Transports form={form} />
        {trial.isError && <Failure error={trial.error} />}
        {trial.data && <TrialReport trial={trial.data} />}
        {save.isError && <Failure error={save.error} />}
      </form>
    </Dialog>
  );
}

function Names({ form, isNew }: { form: Form; isNew: boolean }) {
  const { t } = useTranslation("servers");
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <Field label={t("name")} hint={t("nameHint")} error={useFault(form, "name")}>
        <Input {...form.register("name")} autoFocus={isNew} autoComplete="off" spellCheck={false} />
      </Field>
      <Field label={t("description")} aside={<Optional />}>
        <Input {...form.register("description")} autoComplete="off" />
      </Field>
    </div>
  );
}

function Transports({ form }: { form: Form }) {
  const { t } = useTranslation("servers");
  return (
    <Controller
      control={form.control}
      name="transport"
      render={({ field }) => (
        <Tabs
          label={t("transport")}
          value={field.value}
          onChange={(value) => field.onChange(value as Transport)}
          tabs={TRANSPORTS.map((value) => ({ value, label: t(`transports.${value}`) }))}
        >
          <TabPanel value="stdio">
            <Process form={form} />
          </TabPanel>
          <TabPanel value="streamable-http">
            <Remote form={form} />
          </TabPanel>
          <TabPanel value="sse">
            <Remote form={form} />
          </TabPanel>
        </Tabs>
      )}
    />
  );
}

function Process({ form }: { form: Form }) {
  const { t } = useTranslation("servers");
  const command = form.register("command");
  const cut = () => {
    const parts = cutCommand(form.getValues("command"));
    if (!parts || form.getValues("args")) return;
    form.setValue("command", parts.command, { shouldDirty: true });
    form.setValue("args", parts.args, { shouldDirty: true });
  };
  return (
    <div className="flex flex-col gap-4">
      <Field label={t("command")} hint={t("commandHint")} error={useFault(form, "command")}>
        <Input
          {...command}
          onBlur={(event) => {
            command.onBlur(event);
            cut();
          }}
          placeholder={EXAMPLES.command}
          className="font-mono text-sm"
          spellCheck={false}
          autoComplete="off"
        />
      </Field>
      <div className="grid gap-4 sm:grid-cols-[1fr_14rem]">
        <Field label={t("args")} hint={t("argsHint")}>
          <Textarea
            {...form.register("args")}
            rows={3}
            className="font-mono text-sm"
            spellCheck={false}
          />
        </Field>
        <div className="flex flex-col gap-4">
          <Field label={t("cwd")} aside={<Optional />}>
            <Input {...form.register("cwd")} className="font-mono text-sm" spellCheck={false} />
          </Field>
          <Timeout form={form} />
        </div>
      </div>
      <Controller
        control={form.control}
        name="env"
        render={({ field }) => (
          <KeyValues
            label={t("env")}
            rows={field.value}
            onChange={field.onChange}
            nameHint="API_TOKEN"
          />
        )}
      />
    </div>
  );
}

function Remote({ form }: { form: Form }) {
  const { t } = useTranslation("servers");
  return (
    <div className="flex flex-col gap-4">
      <div className="grid gap-4 sm:grid-cols-[1fr_14rem]">
        <Field label={t("url")} error={useFault(form, "url")}>
          <Input
            {...form.register("url")}
            type="url"
            placeholder={EXAMPLES.url}
            className="font-mono text-sm"
            spellCheck={false}
          />
        </Field>
        <Timeout form={form} />
      </div>
      <Controller
        control={form.control}
        name="headers"
        render={({ field }) => (
          <KeyValues
            label={t("headers")}
            rows={field.value}
            onChange={field.onChange}
            nameHint="Authorization"
          />
        )}
      />
    </div>
  );
}

function Timeout({ form }: { form: Form }) {
  const { t } = useTranslation("servers");
  return (
    <Field label={t("timeout")} error={useFault(form, "timeout")}>
      <Input
        type="number"
        min={0}
        step="any"
        {...form.register("timeout", { valueAsNumber: true })}
      />
    </Field>
  );
}

/** What is wrong with a field, in the language of the console. */
function useFault(form: Form, field: keyof DefinitionForm): string | undefined {
  const { t } = useTranslation("servers");
  const key = form.formState.errors[field]?.message;
  return key ? t(`faults.${key}`) : undefined;
}
