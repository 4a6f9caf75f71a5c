/** What is one's own: language, theme, password. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { changePassword, meQuery } from "@/api/me";
import { Button } from "@/components/Button";
import { Field, Select } from "@/components/Field";
import { Card, Failure, Page } from "@/components/Page";
import { Passwords, SHORTEST_PASSWORD } from "@/components/Passwords";
import { say } from "@/components/Toasts";
import { chooseTheme, type Theme, useTheme } from "@/components/theme";
import { choose, LANGUAGES, type Language, spoken } from "@/languages";

const THEMES: readonly Theme[] = ["light", "dark", "system"];
export function SettingsPage() {
  const { t } = useTranslation("settings");
  const { theme } = useTheme();
  return (
    <Page title={t("title")} note={t("note")}>
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <Card title={t("look")}>
          <div className="flex flex-col gap-4 p-4">
            <Field label={t("language")}>
              <Select
                value={spoken()}
                onChange={(value) => choose(value as Language)}
                options={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
              />
            </Field>
            <Field label={t("theme")} hint={t("themeHint")}>
              <Select
                value={theme}
                onChange={(value) => chooseTheme(value as Theme)}
                options={THEMES.map((value) => ({ value, label: t(`themes.${value}`) }))}
              />
            </Field>
          </div>
        </Card>
        <Card title={t("password")}>
          <PasswordForm />
        </Card>
      </div>
    </Page>
  );
}

function PasswordForm() {
  const { t } = useTranslation("settings");
  const client = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const change = useMutation({
    mutationFn: () => changePassword(client, current, next),
    onSuccess: () => {
      setCurrent("");
      setNext("");
      say(t("changed"));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4 p-4">
      <Passwords
        email={me?.login?.person.email ?? ""}
        currentLabel={t("current")}
        current={current}
        onCurrent={setCurrent}
        next={next}
        onNext={setNext}
      />
      {change.isError && <Failure error={change.error} />}
      <Button
        type="submit"
        className="self-start"
        busy={change.isPending}
        barred={(!current || next.length < SHORTEST_PASSWORD) && t("bothFirst")}
      >
        {t("change")}
      </Button>
      <p className="text-muted text-xs">{t("endsOthers")}</p>
    </form>
  );
}
