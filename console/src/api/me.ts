/** Who is signed in, and signing in and out. */
import { type QueryClient, queryOptions, useQuery } from "@tanstack/react-query";
import { ApiError, api, brought, proveWith, type Schemas } from "./client";

export type Me = Schemas["MeView"];

/** Who calls; null when nobody is signed in. */
export const meQuery = queryOptions({
  queryKey: ["me"],
  staleTime: 60_000,
  queryFn: async (): Promise<Me | null> => {
    try {
      const me = await brought(api.GET("/api/v1/auth/me"));
      proveWith(me.login?.csrf_token ?? "");
      return me;
    } catch (failure) {
      if (failure instanceof ApiError && failure.status === 401) return null;
      throw failure;
    }
  },
});

/** Whether the caller may change the project, and not only use it. */
export function useIsOwner(): boolean {
  const { data: me } = useQuery(meQuery);
  return me?.is_admin === true || me?.role === "owner";
}

/** Signs in, and returns whether a password must be chosen first. */
export async function signIn(client: QueryClient, email: string, password: string) {
  const login = await brought(api.POST("/api/v1/auth/login", { body: { email, password } }));
  proveWith(login.csrf_token);
  await client.fetchQuery({ ...meQuery, staleTime: 0 });
  return login.must_change_password;
}

/** Signs out and forgets everything that was read. */
export async function signOut(client: QueryClient): Promise<void> {
  await api.POST("/api/v1/auth/logout");
  proveWith("");
  client.clear();
}

/** Chooses another password; ends all other sessions of the person. */
export async function changePassword(client: QueryClient, current: string, next: string) {
  const body = { current_password: current, new_password: next };
  await api.POST("/api/v1/auth/password", { body });
  await client.fetchQuery({ ...meQuery, staleTime: 0 });
}
