/** The fields by which a password is changed; they say when the new one is too short. */
import { useTranslation } from "react-i18next";
import { Field, Input } from "./Field";

export const SHORTEST_PASSWORD = 12;

type PasswordsProps = {
  /** Whose passwords they are, for programs that keep passwords. */
  email: string;
  /** What the current password is called; without it, it is not asked for. */
  currentLabel?: string;
  current: string;
  onCurrent: (password: string) => void;
  next: string;
  onNext: (password: string) => void;
  isFirst?: boolean;
};

/** The current password and the new one. */
export function Passwords(props: PasswordsProps) {
  const { t } = useTranslation("common");
  const { email, currentLabel, current, onCurrent, next, onNext, isFirst } = props;
  const rule = t("password.rule", { count: SHORTEST_PASSWORD });
  const isShort = next.length > 0 && next.length < SHORTEST_PASSWORD;
  return (
    <>
      <input type="email" autoComplete="username" hidden readOnly value={email} />
      {currentLabel && (
        <Field label={currentLabel}>
          <Input
            type="password"
            autoComplete="current-password"
            required
            value={current}
            onChange={(event) => onCurrent(event.target.value)}
          />
        </Field>
      )}
      <Field label={t("password.next")} hint={rule} error={isShort ? rule : undefined}>
        <Input
          type="password"
          autoComplete="new-password"
          required
          minLength={SHORTEST_PASSWORD}
          autoFocus={isFirst}
          value={next}
          onChange={(event) => onNext(event.target.value)}
        />
      </Field>
    </>
  );
}
