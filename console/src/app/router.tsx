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

const root = createRootRouteWithContext<Context>()({
  component: Root,
  notFoundComponent: Lost,
});

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: entranceSearch,
  component: lazyRouteComponent(() => import("@/features/entrance/LoginPage"), "LoginPage"),
});

const welcome = createRoute({
  getParentRoute: () => root,
  path: "/welcome",
  component: lazyRouteComponent(() => import("@/features/entrance/WelcomePage"), "WelcomePage"),
});

/** Everything behind the login. */
const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  component: lazyRouteComponent(() => import("./shell/Shell"), "Shell"),
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
  component: lazyRouteComponent(() => import("@/features/servers/ServersPage"), "ServersPage"),
});

const server = createRoute({
  getParentRoute: () => project,
  path: "/servers/$server",
  validateSearch: serverSearch,
  component: lazyRouteComponent(() => import("@/features/servers/ServerPage"), "ServerPage"),
});

const connect = createRoute({
  getParentRoute: () => project,
  path: "/connect",
  validateSearch: connectSearch,
  component: lazyRouteComponent(() => import("@/features/connect/ConnectPage"), "ConnectPage"),
});

const keys = createRoute({
  getParentRoute: () => project,
  path: "/keys",
  validateSearch: keysSearch,
  component: lazyRouteComponent(() => import("@/features/keys/KeysPage"), "KeysPage"),
});

const overview = createRoute({
  getParentRoute: () => project,
  path: "/overview",
  validateSearch: overviewSearch,
  component: lazyRouteComponent(() => import("@/features/overview/OverviewPage"), "OverviewPage"),
});

const tools = createRoute({
  getParentRoute: () => project,
  path: "/tools",
  validateSearch: toolsSearch,
  component: lazyRouteComponent(() => import("@/features/tools/ToolsPage"), "ToolsPage"),
});

const records = createRoute({
  getParentRoute: () => project,
  path: "/records",
  validateSearch: recordsSearch,
  component: lazyRouteComponent(() => import("@/features/records/RecordsPage"), "RecordsPage"),
});

const playground = createRoute({
  getParentRoute: () => project,
  path: "/playground",
  validateSearch: playgroundSearch,
  component: lazyRouteComponent(
    () => import("@/features/playground/PlaygroundPage"),
    "PlaygroundPage",
  ),
});

const projects = createRoute({
  getParentRoute: () => inside,
  path: "/projects",
  validateSearch: projectsSearch,
  component: lazyRouteComponent(() => import("@/features/projects/ProjectsPage"), "ProjectsPage"),
});

const settings = createRoute({
  getParentRoute: () => inside,
  path: "/settings",
  component: lazyRouteComponent(() => import("@/features/settings/SettingsPage"), "SettingsPage"),
});

const about = createRoute({
  getParentRoute: () => inside,
  path: "/about",
  component: lazyRouteComponent(() => import("@/features/about/AboutPage"), "AboutPage"),
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
