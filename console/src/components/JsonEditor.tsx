/** An editor of JSON, loaded when it is first shown. */
import { lazy, Suspense } from "react";
import { Skeleton } from "./Page";

const Loaded = lazy(() => import("./CodeEditor"));

type Props = { label: string; text: string; onChange: (text: string) => void };

export function JsonEditor(props: Props) {
  return (
    <Suspense fallback={<Skeleton className="h-48" />}>
      <Loaded {...props} />
    </Suspense>
  );
}
