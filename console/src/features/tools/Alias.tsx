/** A tool's name of the project's own, under which clients see it. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/api/client";
import { meQuery } from "@/api/me";
import { projectsQuery } from "@/api/projects";
import { type Tool, toolsQuery } from "@/api/servers";
import { Button } from "@/components/Button";
import { Field, Input } from "@/components/Field";
import { complain, say } from "@/components/Toasts";

type Aliases = Record<string, string>;
type Props = { project: string; tool: Tool; onRenamed: () => void };

export function Alias({ project, tool, onRenamed }: Props) {
  const { t } = useTranslation("tools");
  const { data: me } = useQuery(meQuery);
  const { data: projects } = useQuery(projectsQuery);
  const save = useSave(project);
  const aliases: Aliases = projects?.find((each) => each.name === project)?.aliases ?? {};
  const full = fullName(tool, aliases);
  const kept = Object.keys(aliases).find((alias) => aliases[alias] === full) ?? "";
  const [text, setText] = useState(kept);
  const [isBusy, setBusy] = useState(false);
  const isOwner = me?.is_admin === true || me?.role === "owner";

  const change = async (alias: string) => {
    const rest = Object.fromEntries(Object.entries(aliases).filter(([, name]) => name !== full));
    setBusy(true);
    try {
      await save(alias ? { ...rest, [alias]: full } : rest);
      // The way back stands outside of the drawer, which must not cover it.
      onRenamed();
      const back = () => {
        save(aliases).catch(complain);
      };
      say(alias ? t("alias.set", { alias }) : t("alias.gone", { name: full }), back);
    } catch (failure) {
      complain(failure);
    } finally {
      setBusy(false);
    }
  };
  const wrong = text !== "" && !/^[A-Za-z0-9_.-]{1,64}$/.test(text);
  const taken = text !== kept && text in aliases;
  const barred =
    (!isOwner && t("alias.ownersOnly")) ||
    (wrong && t("alias.rule")) ||
    (taken && t("alias.taken", { name: aliases[text] ?? "" })) ||
    (text === kept && t("alias.same"));
  return (
    <section>
      <h3 className="mb-1 font-semibold text-sm">{t("alias.title")}</h3>
      <p className="mb-3 text-muted text-sm">{t("alias.note", { name: full })}</p>
      <form
        className="flex flex-wrap items-start gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          if (!barred) change(text);
        }}
      >
        <Field
          label={t("alias.name")}
          error={wrong ? t("alias.rule") : undefined}
          className="min-w-48 flex-1"
        >
          <Input
            value={text}
            readOnly={!isOwner}
            autoComplete="off"
            spellCheck={false}
            className="font-mono"
            onChange={(event) => setText(event.target.value.trim())}
          />
        </Field>
        <span className="flex gap-2 pt-6">
          <Button type="submit" barred={barred} busy={isBusy}>
            {t("alias.save")}
          </Button>
          {kept && (
            <Button
              kind="quiet"
              barred={!isOwner && t("alias.ownersOnly")}
              onClick={() => change("")}
            >
              {t("alias.remove")}
            </Button>
          )}
        </span>
      </form>
    </section>
  );
}

/** The name that a tool always answers to, whatever else it is called. */
function fullName(tool: Tool, aliases: Aliases): string {
  const { exposed_name: name, server } = tool;
  const known = aliases[name];
  if (known) return known;
  return !server || name.startsWith(`${server}__`) ? name : `${server}__${name}`;
}

function useSave(project: string) {
  const client = useQueryClient();
  return async (aliases: Aliases) => {
    const params = { path: { project } };
    await api.PATCH("/api/v1/projects/{project}", { params, body: { aliases } });
    await Promise.all([
      client.invalidateQueries({ queryKey: projectsQuery.queryKey }),
      client.invalidateQueries({ queryKey: toolsQuery(project).queryKey }),
    ]);
  };
}
