/** Tabs of a page or a dialog; which one is open belongs in the address of the page. */
import { Tabs as RadixTabs } from "radix-ui";
import type { ReactNode } from "react";

type Tab = { value: string; label: ReactNode; count?: number };
type Props = {
  value: string;
  onChange: (value: string) => void;
  tabs: readonly Tab[];
  label: string;
  children: ReactNode;
};

export function Tabs({ value, onChange, tabs, label, children }: Props) {
  return (
    <RadixTabs.Root value={value} onValueChange={onChange} className="min-w-0">
      <RadixTabs.List
        aria-label={label}
        className="flex gap-1 overflow-x-auto border-b [scrollbar-width:none]"
      >
        {tabs.map((tab) => (
          <RadixTabs.Trigger
            key={tab.value}
            value={tab.value}
            className="-mb-px inline-flex items-center gap-1.5 whitespace-nowrap border-transparent border-b-2 px-2.5 py-2 font-medium text-muted text-sm hover:text-ink focus-visible:-outline-offset-2 data-[state=active]:border-accent data-[state=active]:text-ink"
          >
            {tab.label}
            {tab.count !== undefined && (
              <span className="rounded-full bg-hover px-1.5 text-muted text-xs">{tab.count}</span>
            )}
          </RadixTabs.Trigger>
        ))}
      </RadixTabs.List>
      {children}
    </RadixTabs.Root>
  );
}

export function TabPanel({ value, children }: { value: string; children: ReactNode }) {
  return (
    <RadixTabs.Content value={value} className="pt-4" tabIndex={-1}>
      {children}
    </RadixTabs.Content>
  );
}
