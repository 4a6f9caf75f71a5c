/** Names and values, side by side. */
import { Fragment, type ReactNode } from "react";

type Props = { facts: readonly (readonly [string, ReactNode])[] };

/** Facts whose value is missing are left out. */
export function Facts({ facts }: Props) {
  return (
    <dl className="grid grid-cols-[max-content_minmax(0,1fr)] gap-x-6 gap-y-1.5 text-base">
      {facts
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value]) => (
          <Fragment key={name}>
            <dt className="text-muted">{name}</dt>
            <dd className="min-w-0">{value}</dd>
          </Fragment>
        ))}
    </dl>
  );
}
