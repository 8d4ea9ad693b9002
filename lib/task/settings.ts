// The vocabulary of settings: what may be wrong with them without stopping anybody.

/** Where a setting or an agent stands; a workspace's own come before the user's. */
export type Origin = "workspace" | "user";

/** What a settings file says that has no effect; work goes on without it. */
export type SettingsWarning =
  /** No setting has this name; it stands in the workspace's file where that is not said. */
  | { readonly kind: "unknown-key"; readonly key: string; readonly origin?: "user" }
  /** It holds across workspaces, and so counts only in the user's own settings. */
  | { readonly kind: "users-only"; readonly key: string }
  /** What is wrong with the user's settings, to be read behind the file's name. */
  | { readonly kind: "user-problem"; readonly problem: string }
  /** The archive is elsewhere, as the ancestor allowed: it is not looked into. */
  | { readonly kind: "archive-dir"; readonly value: unknown };
