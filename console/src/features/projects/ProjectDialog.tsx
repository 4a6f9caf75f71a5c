/** Making a project, and changing how it names its tools and how often they may be called. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, brought, type Schemas } from "@/api/client";
import { type Project, projectsQuery } from "@/api/projects";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Field, Input, Select } from "@/components/Field";
import { Failure } from "@/components/Page";
import { say } from "@/components/Toasts";

type Naming = Project["naming"];
type Per = Schemas["RateLimitView"]["per"];
const NAMINGS: readonly Naming[] = ["prefix", "plain"];
const PERS: readonly Per[] = ["minute", "second"];

type Props = { project?: Project; isOpen: boolean; onClose: () => void };

export function ProjectDialog({ project, isOpen, onClose }: Props) {
  const { t } = useTranslation("projects");
  const { t: common } = useTranslation("common");
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [naming, setNaming] = useState<Naming>(project?.naming ?? "prefix");
  const [calls, setCalls] = useState(String(project?.rate_limit?.calls ?? ""));
  const [per, setPer] = useState<Per>(project?.rate_limit?.per ?? "minute");
  const save = useMutation({
    mutationFn: async () => {
      const limit = calls ? { calls: Number(calls), per } : null;
      const made =
        project ??
        (await brought(api.POST("/api/v1/projects", { body: { name: name.trim(), naming } })));
      return brought(
        api.PATCH("/api/v1/projects/{project}", {
          params: { path: { project: made.name } },
          body: { naming, rate_limit: limit },
        }),
      );
    },
    onSuccess: async (saved) => {
      await client.invalidateQueries({ queryKey: projectsQuery.queryKey });
      setName("");
      onClose();
      say(project ? t("saved", { name: saved.name }) : t("made", { name: saved.name }));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Dialog
      isOpen={isOpen}
      onClose={onClose}
      title={project ? t("edit", { name: project.name }) : t("new")}
      footer={
        <>
          <Button onClick={onClose}>{common("cancel")}</Button>
          <Button
            kind="primary"
            type="submit"
            form="project"
            busy={save.isPending}
            barred={!project && !name.trim() && t("nameFirst")}
          >
            {project ? common("save") : t("make")}
          </Button>
        </>
      }
    >
      <form id="project" onSubmit={submit} className="flex flex-col gap-4">
        {!project && (
          <Field label={t("name")} hint={t("nameHint")}>
            <Input
              autoFocus
              value={name}
              spellCheck={false}
              onChange={(event) => setName(event.target.value)}
            />
          </Field>
        )}
        <Field label={t("naming")} hint={t(`namingNotes.${naming}`)}>
          <Select
            value={naming}
            onChange={(value) => setNaming(value as Naming)}
            options={NAMINGS.map((value) => ({ value, label: t(`namings.${value}`) }))}
          />
        </Field>
        <div className="grid grid-cols-2 gap-4">
          <Field label={t("limit")} hint={t("limitHint")}>
            <Input
              type="number"
              min={1}
              value={calls}
              onChange={(event) => setCalls(event.target.value)}
            />
          </Field>
          <Field label={t("per")}>
            <Select
              value={per}
              onChange={(value) => setPer(value as Per)}
              options={PERS.map((value) => ({ value, label: t(`pers.${value}`) }))}
            />
          </Field>
        </div>
        {save.isError && <Failure error={save.error} />}
      </form>
    </Dialog>
  );
}
