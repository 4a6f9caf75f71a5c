/** The frame of everything: a bar while a page loads, and the page. */
import { Outlet, useRouterState } from "@tanstack/react-router";

export function Root() {
  const isBusy = useRouterState({ select: (state) => state.isLoading });
  return (
    <>
      {isBusy && (
        <div aria-hidden className="fixed inset-x-0 top-0 z-70 h-0.5 animate-pulse bg-accent" />
      )}
      <Outlet />
    </>
  );
}
