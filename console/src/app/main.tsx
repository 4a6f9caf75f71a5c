/** The start of the console: language first, then the page. */
import "../styles.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "@/api/client";
import { HintProvider } from "@/components/Hint";
import { Toasts } from "@/components/Toasts";
import { prepareLanguage } from "@/languages";
import { loadAhead, makeRouter } from "./router";

const MAX_TRIES = 2;

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (tries, failure) => !(failure instanceof ApiError) && tries < MAX_TRIES,
    },
  },
});
const router = makeRouter(client);

// What libraries add as <style> carries the nonce that the page came with.
setNonce(document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "");

loadAhead(location.pathname, client);
await prepareLanguage();
createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <HintProvider>
        <Toasts />
        <RouterProvider router={router} />
      </HintProvider>
    </QueryClientProvider>
  </StrictMode>,
);

if (import.meta.env.PROD && "serviceWorker" in navigator) {
  navigator.serviceWorker.register("/sw.js").catch(() => undefined);
}
