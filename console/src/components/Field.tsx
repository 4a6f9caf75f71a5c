/** A control of a form with its label, hint and error, tied together for screen readers. */

import { getNonce } from "get-nonce";
import { Check, ChevronDown, Search } from "lucide-react";
import { Checkbox as RadixCheckbox, Select as RadixSelect, Switch as RadixSwitch } from "radix-ui";
import { type ComponentProps, createContext, type ReactNode, use, useId } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "./cx";
import { Hint } from "./Hint";

const control =
  "min-w-0 rounded-md border border-line-strong/60 bg-surface px-2.5 text-base text-ink transition-colors hover:border-line-strong focus-visible:border-accent focus-visible:outline-offset-0 aria-invalid:border-bad max-sm:text-[1rem]";

type Tied = { id: string; describedBy?: string; isInvalid: boolean };
const Tie = createContext<Tied | null>(null);

type FieldProps = {
  label: ReactNode;
  hint?: ReactNode;
  error?: string;
  aside?: ReactNode;
  className?: string;
  children: ReactNode;
};

export function Field({ label, hint, error, aside, className, children }: FieldProps) {
  const id = useId();
  const describedBy = error || hint ? `${id}-note` : undefined;
  return (
    <div className={cx("flex min-w-0 flex-col gap-1", className)}>
      <div className="flex items-baseline justify-between gap-2">
        <label htmlFor={id} className="font-medium text-sm">
          {label}
        </label>
        {aside}
      </div>
      <Tie value={{ id, describedBy, isInvalid: Boolean(error) }}>{children}</Tie>
      {(error || hint) && (
        <p id={describedBy} className={cx("text-xs", error ? "text-bad" : "text-muted")}>
          {error ?? hint}
        </p>
      )}
    </div>
  );
}

/** What ties a control to the field around it. */
export function useTied() {
  const tied = use(Tie);
  return tied
    ? {
        id: tied.id,
        "aria-describedby": tied.describedBy,
        "aria-invalid": tied.isInvalid || undefined,
      }
    : {};
}

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input {...useTied()} {...rest} className={cx(control, "h-8 w-full", className)} />;
}

export function Textarea({ className, ...rest }: ComponentProps<"textarea">) {
  return (
    <textarea
      {...useTied()}
      {...rest}
      className={cx(control, "min-h-16 w-full py-1.5", className)}
    />
  );
}

/** A field to search in a list. */
export function SearchInput({ className, ...rest }: ComponentProps<"input">) {
  return (
    <div className={cx("relative min-w-0", className)}>
      <Search
        aria-hidden
        className="pointer-events-none absolute top-2 left-2.5 size-4 text-muted"
      />
      <Input type="search" aria-label={rest.placeholder} {...rest} className="pl-8" />
    </div>
  );
}

type Option = { value: string; label: ReactNode; note?: ReactNode };
type SelectProps = {
  value: string;
  onChange: (value: string) => void;
  options: readonly Option[];
  label?: string;
  className?: string;
  placeholder?: string;
};

/** A choice of one of a few. */
export function Select({ value, onChange, options, label, className, placeholder }: SelectProps) {
  return (
    <RadixSelect.Root value={value} onValueChange={onChange}>
      <RadixSelect.Trigger
        {...useTied()}
        aria-label={label}
        className={cx(
          control,
          "flex h-8 items-center justify-between gap-2 text-left data-placeholder:text-muted",
          className ?? "w-full",
        )}
      >
        <span className="truncate">
          <RadixSelect.Value placeholder={placeholder} />
        </span>
        <ChevronDown aria-hidden className="size-4 shrink-0 text-muted" />
      </RadixSelect.Trigger>
      <RadixSelect.Portal>
        <RadixSelect.Content
          position="popper"
          sideOffset={4}
          collisionPadding={8}
          className="z-60 max-h-(--radix-select-content-available-height) min-w-(--radix-select-trigger-width) animate-fade overflow-hidden rounded-lg border bg-surface p-1 shadow-float"
        >
          <RadixSelect.Viewport nonce={getNonce()}>
            {options.map((option) => (
              <RadixSelect.Item
                key={option.value}
                value={option.value}
                className="relative flex cursor-default select-none items-center gap-2 rounded-md py-1.5 pr-3 pl-7 text-base outline-none data-highlighted:bg-hover"
              >
                <RadixSelect.ItemIndicator className="absolute left-2">
                  <Check aria-hidden className="size-3.5 text-accent" />
                </RadixSelect.ItemIndicator>
                <RadixSelect.ItemText>{option.label}</RadixSelect.ItemText>
                {option.note && <span className="text-muted text-xs">{option.note}</span>}
              </RadixSelect.Item>
            ))}
          </RadixSelect.Viewport>
        </RadixSelect.Content>
      </RadixSelect.Portal>
    </RadixSelect.Root>
  );
}

type Toggle = {
  checked: boolean;
  onChange: (checked: boolean) => void;
  label: ReactNode;
  hint?: ReactNode;
};

/** Something that is on or off at once. */
export function Switch({
  checked,
  onChange,
  label,
  isHidden,
  barred,
}: Toggle & {
  isHidden?: boolean;
  label: string;
  /** Why it cannot be switched now; without it, it can. */
  barred?: string | false;
}) {
  const control = (
    <RadixSwitch.Root
      checked={checked}
      onCheckedChange={(next) => barred || onChange(next)}
      aria-label={isHidden ? label : undefined}
      aria-disabled={barred ? true : undefined}
      className="group inline-flex items-center gap-2 text-sm aria-disabled:cursor-not-allowed aria-disabled:opacity-55"
    >
      <span className="h-4.5 w-8 shrink-0 rounded-full bg-line-strong p-0.5 transition-colors group-data-[state=checked]:bg-accent">
        <RadixSwitch.Thumb className="block size-3.5 rounded-full bg-surface transition-transform data-[state=checked]:translate-x-3.5" />
      </span>
      {!isHidden && label}
    </RadixSwitch.Root>
  );
  return barred ? <Hint text={barred}>{control}</Hint> : control;
}

/** Something to tick in a form. */
export function Checkbox({ checked, onChange, label, hint }: Toggle) {
  const id = useId();
  return (
    <div className="flex items-start gap-2">
      <RadixCheckbox.Root
        id={id}
        checked={checked}
        onCheckedChange={(value) => onChange(value === true)}
        className="mt-0.5 grid size-4 shrink-0 place-items-center rounded-sm border border-line-strong bg-surface data-[state=checked]:border-accent data-[state=checked]:bg-accent"
      >
        <RadixCheckbox.Indicator>
          <Check aria-hidden className="size-3 text-on-accent" strokeWidth={3} />
        </RadixCheckbox.Indicator>
      </RadixCheckbox.Root>
      <label htmlFor={id} className="text-sm">
        {label}
        {hint && <span className="block text-muted text-xs">{hint}</span>}
      </label>
    </div>
  );
}

/** Fields that belong together. */
export function FieldGroup({ title, children }: { title: string; children: ReactNode }) {
  return (
    <fieldset className="flex min-w-0 flex-col gap-3">
      <legend className="mb-2 font-medium text-sm">{title}</legend>
      {children}
    </fieldset>
  );
}

/** Marks a field that may be left empty. */
export function Optional() {
  const { t } = useTranslation("common");
  return <span className="text-muted text-xs">{t("optional")}</span>;
}
