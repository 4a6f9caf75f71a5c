/** Making a project, and changing how it names its tools and how often they may be called. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, brought } from "@/api/client";
import { type Project, projectsQuery } from "@/api/projects";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Field, Input, Select } from "@/components/Field";
import { Failure } from "@/components/Page";
import { limitOf, NO_RATE, RateField } from "@/components/RateField";
import { say } from "@/components/Toasts";

type Naming = Project["naming"];
const NAMINGS: readonly Naming[] = ["prefix", "plain"];

type Props = { project?: Project; isOpen: boolean; onClose: () => void };

export function ProjectDialog({ project, isOpen, onClose }: Props) {
  const { t } = useTranslation("projects");
  const { t: common } = useTranslation("common");
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [naming, setNaming] = useState<Naming>(project?.naming ?? "prefix");
  const limit = project?.rate_limit;
  const [rate, setRate] = useState(
    limit ? { calls: String(limit.calls), per: limit.per } : NO_RATE,
  );
  const save = useMutation({
    mutationFn: async () => {
      const made =
        project ??
        (await brought(api.POST("/api/v1/projects", { body: { name: name.trim(), naming } })));
      return brought(
        api.PATCH("/api/v1/projects/{project}", {
          params: { path: { project: made.name } },
          body: { naming, rate_limit: limitOf(rate) },
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
        <RateField hint={t("limitHint")} value={rate} onChange={setRate} />
        {save.isError && <Failure error={save.error} />}
      </form>
    </Dialog>
  );
}
