/** A short text beside what the pointer or the keyboard is on. */
import { Tooltip } from "radix-ui";
import type { ReactNode } from "react";

export const HintProvider = Tooltip.Provider;

export function Hint({ text, children }: { text: ReactNode; children: ReactNode }) {
  return (
    <Tooltip.Root delayDuration={250}>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          sideOffset={5}
          collisionPadding={8}
          className="z-60 max-w-72 animate-fade rounded-md bg-ink px-2 py-1 text-page text-xs shadow-float"
        >
          {text}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
