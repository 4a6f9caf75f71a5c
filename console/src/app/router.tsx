/** Every address of the console; each page is loaded when it is first opened. */
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { meQuery } from "@/api/me";
import { projectsQuery } from "@/api/projects";
import { connectSearch } from "@/features/connect/search";
import { entranceSearch } from "@/features/entrance/search";
import { keysSearch } from "@/features/keys/search";
import { overviewSearch } from "@/features/overview/search";
import { playgroundSearch } from "@/features/playground/search";
import { projectsSearch } from "@/features/projects/search";
import { recordsSearch } from "@/features/records/search";
import { serverSearch, serversSearch } from "@/features/servers/search";
import { toolsSearch } from "@/features/tools/search";
import { Lost, Troubled } from "./fallbacks";
import { lastProject } from "./lastProject";
import { Root } from "./Root";

type Context = { client: QueryClient };

/** What is loaded when it is needed first. */
const parts = {
  login: () => import("@/features/entrance/LoginPage"),
  welcome: () => import("@/features/entrance/WelcomePage"),
  shell: () => import("./shell/Shell"),
  servers: () => import("@/features/servers/ServersPage"),
  server: () => import("@/features/servers/ServerPage"),
  connect: () => import("@/features/connect/ConnectPage"),
  keys: () => import("@/features/keys/KeysPage"),
  overview: () => import("@/features/overview/OverviewPage"),
  tools: () => import("@/features/tools/ToolsPage"),
  records: () => import("@/features/records/RecordsPage"),
  playground: () => import("@/features/playground/PlaygroundPage"),
  projects: () => import("@/features/projects/ProjectsPage"),
  settings: () => import("@/features/settings/SettingsPage"),
  about: () => import("@/features/about/AboutPage"),
};

const root = createRootRouteWithContext<Context>()({
  component: Root,
  notFoundComponent: Lost,
});

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: entranceSearch,
  component: lazyRouteComponent(parts.login, "LoginPage"),
});

const welcome = createRoute({
  getParentRoute: () => root,
  path: "/welcome",
  component: lazyRouteComponent(parts.welcome, "WelcomePage"),
});

/** Everything behind the login. */
const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  component: lazyRouteComponent(parts.shell, "Shell"),
  beforeLoad: async ({ context, location }) => {
    const me = await context.client.ensureQueryData(meQuery);
    if (!me) throw redirect({ to: "/login", search: { next: location.href } });
    if (me.login?.must_change_password) throw redirect({ to: "/welcome" });
    return { me };
  },
});

const start = createRoute({
  getParentRoute: () => inside,
  path: "/",
  beforeLoad: async ({ context }) => {
    const all = await context.client.ensureQueryData(projectsQuery);
    const kept = all.find((each) => each.name === lastProject());
    const project = (kept ?? all[0])?.name ?? "default";
    throw redirect({ to: "/p/$project/overview", params: { project } });
  },
});

const project = createRoute({
  getParentRoute: () => inside,
  path: "/p/$project",
  beforeLoad: ({ params }) => lastProject(params.project),
});

const servers = createRoute({
  getParentRoute: () => project,
  path: "/servers",
  validateSearch: serversSearch,
  component: lazyRouteComponent(parts.servers, "ServersPage"),
});

const server = createRoute({
  getParentRoute: () => project,
  path: "/servers/$server",
  validateSearch: serverSearch,
  component: lazyRouteComponent(parts.server, "ServerPage"),
});

const connect = createRoute({
  getParentRoute: () => project,
  path: "/connect",
  validateSearch: connectSearch,
  component: lazyRouteComponent(parts.connect, "ConnectPage"),
});

const keys = createRoute({
  getParentRoute: () => project,
  path: "/keys",
  validateSearch: keysSearch,
  component: lazyRouteComponent(parts.keys, "KeysPage"),
});

const overview = createRoute({
  getParentRoute: () => project,
  path: "/overview",
  validateSearch: overviewSearch,
  component: lazyRouteComponent(parts.overview, "OverviewPage"),
});

const tools = createRoute({
  getParentRoute: () => project,
  path: "/tools",
  validateSearch: toolsSearch,
  component: lazyRouteComponent(parts.tools, "ToolsPage"),
});

const records = createRoute({
  getParentRoute: () => project,
  path: "/records",
  validateSearch: recordsSearch,
  component: lazyRouteComponent(parts.records, "RecordsPage"),
});

const playground = createRoute({
  getParentRoute: () => project,
  path: "/playground",
  validateSearch: playgroundSearch,
  component: lazyRouteComponent(parts.playground, "PlaygroundPage"),
});

const projects = createRoute({
  getParentRoute: () => inside,
  path: "/projects",
  validateSearch: projectsSearch,
  component: lazyRouteComponent(parts.projects, "ProjectsPage"),
});

const settings = createRoute({
  getParentRoute: () => inside,
  path: "/settings",
  component: lazyRouteComponent(parts.settings, "SettingsPage"),
});

const about = createRoute({
  getParentRoute: () => inside,
  path: "/about",
  component: lazyRouteComponent(parts.about, "AboutPage"),
});

const routeTree = root.addChildren([
  login,
  welcome,
  inside.addChildren([
    start,
    projects,
    settings,
    about,
    project.addChildren([overview, servers, server, tools, playground, records, connect, keys]),
  ]),
]);

/**
 * Begins to load what an address shows, while the language comes: its code, and who is signed in.
 * What fails here is tried again, and told, where it is needed.
 */
export function loadAhead(path: string, client: QueryClient): void {
  const [, section, , place, one] = path.split("/");
  const page = section === "p" ? place : section || "overview";
  const name = page === "servers" && one ? "server" : page;
  const needed = Object.entries(parts).filter(([part]) => part === name);
  if (section !== "login" && section !== "welcome") {
    needed.push(["shell", parts.shell]);
    client.prefetchQuery(meQuery);
  }
  for (const [, load] of needed) load().catch(() => undefined);
}

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree,
    context: { client },
    defaultPreload: "intent",
    defaultErrorComponent: Troubled,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
