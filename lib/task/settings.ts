// The vocabulary of settings: what may be wrong with them without stopping anybody.

/** What a settings file says that has no effect; work goes on without it. */
export type SettingsWarning =
  /** No setting has this name. */
  | { readonly kind: "unknown-key"; readonly key: string }
  /** The archive is elsewhere, as the ancestor allowed: it is not looked into. */
  | { readonly kind: "archive-dir"; readonly value: unknown };
