// Keeps the shell (the page and its hashed assets) for when the network is slow or away.
// Answers of the API never enter this cache.
const CACHE = "interlock-shell-1";

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  const clean = async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/assets/")) event.respondWith(assetOf(event.request));
  else if (event.request.mode === "navigate" && isPage(url.pathname)) {
    event.respondWith(pageOf(event.request));
  }
});

function isPage(path) {
  return path === "/" || /^\/(login|welcome|p|projects|settings|about)(\/|$)/.test(path);
}

async function assetOf(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept) return kept;
  const fresh = await fetch(request);
  if (fresh.ok) await cache.put(request, fresh.clone());
  return fresh;
}

async function pageOf(request) {
  const cache = await caches.open(CACHE);
  try {
    const fresh = await fetch(request);
    if (fresh.ok) await cache.put("/", fresh.clone());
    return fresh;
  } catch (failure) {
    const kept = await cache.match("/");
    if (kept) return kept;
    throw failure;
  }
}
