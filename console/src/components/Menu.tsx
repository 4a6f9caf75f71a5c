/** A menu of actions that opens from a button. */

import type { LucideIcon } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";
import { cx } from "./cx";

type MenuProps = { trigger: ReactNode; children: ReactNode; align?: "start" | "end" };

export function Menu({ trigger, children, align = "end" }: MenuProps) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align={align}
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-h-(--radix-dropdown-menu-content-available-height) min-w-48 animate-fade overflow-y-auto rounded-lg border bg-surface p-1 shadow-float"
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

type ItemProps = {
  icon?: LucideIcon;
  onSelect?: () => void;
  danger?: boolean;
  chosen?: boolean;
  children: ReactNode;
};

const item =
  "flex cursor-default select-none items-center gap-2 rounded-md px-2 py-1.5 text-base outline-none data-highlighted:bg-hover";

export function MenuItem({ icon: Icon, onSelect, danger, children }: ItemProps) {
  return (
    <DropdownMenu.Item onSelect={onSelect} className={cx(item, danger && "text-bad")}>
      {Icon && <Icon aria-hidden className="size-4 shrink-0 opacity-75" />}
      {children}
    </DropdownMenu.Item>
  );
}

type ChoiceProps = {
  value: string;
  onChange: (value: string) => void;
  options: readonly { value: string; label: ReactNode }[];
  title?: string;
};

/** One of a few, chosen within a menu. */
export function MenuChoice({ value, onChange, options, title }: ChoiceProps) {
  return (
    <DropdownMenu.RadioGroup value={value} onValueChange={onChange}>
      {title && (
        <DropdownMenu.Label className="px-2 pt-1.5 pb-1 font-medium text-muted text-xs">
          {title}
        </DropdownMenu.Label>
      )}
      {options.map((option) => (
        <DropdownMenu.RadioItem
          key={option.value}
          value={option.value}
          className={cx(item, "pl-7 relative")}
        >
          <DropdownMenu.ItemIndicator className="absolute left-2.5 size-1.5 rounded-full bg-accent" />
          {option.label}
        </DropdownMenu.RadioItem>
      ))}
    </DropdownMenu.RadioGroup>
  );
}

export function MenuLine() {
  return <DropdownMenu.Separator className="my-1 h-px bg-line" />;
}
