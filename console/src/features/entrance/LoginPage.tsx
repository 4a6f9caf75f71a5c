/** Signing in. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { signIn } from "@/api/me";
import { Button } from "@/components/Button";
import { Field, Input } from "@/components/Field";
import { Failure } from "@/components/Page";
import { Entrance } from "./Entrance";
import { keepPassword } from "./firstPassword";

const ADMIN = "admin@localhost";
const route = getRouteApi("/login");

export function LoginPage() {
  const { t } = useTranslation("entrance");
  const { next } = route.useSearch();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [email, setEmail] = useState(ADMIN);
  const [password, setPassword] = useState("");
  const login = useMutation({
    mutationFn: () => signIn(client, email, password),
    onSuccess: (mustChange) => {
      if (mustChange) keepPassword(password);
      return mustChange ? navigate({ to: "/welcome" }) : navigate({ to: next ?? "/" });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    login.mutate();
  };
  return (
    <Entrance title={t("login.title")} note={t("login.note")}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t("email")}>
          <Input
            type="email"
            autoComplete="username"
            required
            value={email}
            onChange={(event) => setEmail(event.target.value)}
          />
        </Field>
        <Field label={t("password")} hint={t("login.hint")}>
          <Input
            type="password"
            autoComplete="current-password"
            required
            autoFocus
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        {login.isError && <Failure error={login.error} />}
        <Button type="submit" kind="primary" size="lg" busy={login.isPending}>
          {t("login.action")}
        </Button>
      </form>
    </Entrance>
  );
}
