/** Buttons; one that cannot be pressed says why. */
import { cva, type VariantProps } from "class-variance-authority";
import { LoaderCircle } from "lucide-react";
import type { ComponentProps, ReactNode } from "react";
import { cx } from "./cx";
import { Hint } from "./Hint";

export const buttonStyle = cva(
  "inline-flex shrink-0 select-none items-center justify-center gap-1.5 whitespace-nowrap rounded-md font-medium transition-colors aria-disabled:cursor-not-allowed aria-disabled:opacity-55",
  {
    variants: {
      kind: {
        primary: "bg-accent text-on-accent not-aria-disabled:hover:bg-accent-strong",
        plain:
          "border border-line bg-surface text-ink shadow-raised not-aria-disabled:hover:bg-hover",
        quiet: "text-muted not-aria-disabled:hover:bg-hover not-aria-disabled:hover:text-ink",
        danger: "bg-bad-strong text-surface not-aria-disabled:hover:opacity-90",
      },
      size: {
        sm: "h-7 px-2 text-sm",
        md: "h-8 px-3 text-sm",
        lg: "h-10 px-4 text-base",
        icon: "size-8 text-sm",
      },
    },
    defaultVariants: { kind: "plain", size: "md" },
  },
);

type Props = Omit<ComponentProps<"button">, "disabled"> &
  VariantProps<typeof buttonStyle> & {
    /** Why it cannot be pressed now; without it, it can. */
    barred?: string | false | null;
    busy?: boolean;
  };

export function Button({ kind, size, barred, busy, className, onClick, ...rest }: Props) {
  const isOff = Boolean(barred) || Boolean(busy);
  const button = (
    <button
      type="button"
      {...rest}
      aria-disabled={isOff || undefined}
      aria-busy={busy || undefined}
      className={cx(buttonStyle({ kind, size }), className)}
      onClick={(event) => (isOff ? event.preventDefault() : onClick?.(event))}
    >
      {busy && <LoaderCircle aria-hidden className="size-3.5 animate-spin" />}
      {rest.children}
    </button>
  );
  return barred ? <Hint text={barred}>{button}</Hint> : button;
}

type IconProps = Props & { label: string; children: ReactNode };

/** A button that shows only an icon; its label is read out and shown as a hint. */
export function IconButton({ label, kind = "quiet", size = "icon", ...rest }: IconProps) {
  const button = <Button {...rest} kind={kind} size={size} aria-label={label} />;
  return rest.barred ? button : <Hint text={label}>{button}</Hint>;
}
