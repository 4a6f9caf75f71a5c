/** The first start: a password of one's own, and the theme. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Navigate, useNavigate } from "@tanstack/react-router";
import { Monitor, Moon, Sun } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { changePassword, meQuery } from "@/api/me";
import { Button } from "@/components/Button";
import { cx } from "@/components/cx";
import { Failure } from "@/components/Page";
import { Passwords, SHORTEST_PASSWORD } from "@/components/Passwords";
import { chooseTheme, type Theme, useTheme } from "@/components/theme";
import { Entrance } from "./Entrance";
import { keepPassword, keptPassword } from "./firstPassword";

const THEMES = [
  ["light", Sun],
  ["dark", Moon],
  ["system", Monitor],
] as const;

export function WelcomePage() {
  const { t } = useTranslation("entrance");
  const client = useQueryClient();
  const navigate = useNavigate();
  const { data: me } = useQuery(meQuery);
  const [current, setCurrent] = useState(keptPassword());
  const [next, setNext] = useState("");
  const [isAsked] = useState(keptPassword() === "");
  const change = useMutation({
    mutationFn: () => changePassword(client, current, next),
    onSuccess: () => {
      keepPassword("");
      return navigate({ to: "/" });
    },
  });
  if (me === null) return <Navigate to="/login" />;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (current && next.length >= SHORTEST_PASSWORD) change.mutate();
  };
  return (
    <Entrance title={t("welcome.title")} note={t("welcome.note")}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Passwords
          email={me?.login?.person.email ?? ""}
          currentLabel={isAsked ? t("welcome.current") : undefined}
          current={current}
          onCurrent={setCurrent}
          next={next}
          onNext={setNext}
          isFirst
        />
        <ThemeChoice />
        {change.isError && <Failure error={change.error} />}
        <Button type="submit" kind="primary" size="lg" busy={change.isPending}>
          {t("welcome.action")}
        </Button>
      </form>
    </Entrance>
  );
}

function ThemeChoice() {
  const { t } = useTranslation("entrance");
  const { theme } = useTheme();
  const choose = (value: Theme) => () => chooseTheme(value);
  return (
    <fieldset>
      <legend className="mb-1 font-medium text-sm">{t("theme")}</legend>
      <div className="grid grid-cols-3 gap-2">
        {THEMES.map(([value, Icon]) => (
          <label
            key={value}
            className={cx(
              "flex cursor-pointer flex-col items-center gap-1.5 rounded-md border p-3 text-sm has-focus-visible:outline-2 has-focus-visible:outline-accent",
              theme === value ? "border-accent bg-accent-soft text-accent" : "hover:bg-hover",
            )}
          >
            <input
              type="radio"
              name="theme"
              className="sr-only"
              checked={theme === value}
              onChange={choose(value)}
            />
            <Icon aria-hidden className="size-4.5" />
            {t(`themes.${value}`)}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
