// Where the document of the page comes from: the second asset has it built in; from source it is built
// when the server starts.

/** The document, and the policy that says what a browser may run of it. */
export interface Page {
  readonly html: string;
  /** Value of `Content-Security-Policy`. */
  readonly csp: string;
}

/** Stands here in the sources; the bundler puts the page in its place, as JSON. */
const BUILT_IN = "@page@";

/** The page. */
export async function loadPage(): Promise<Page> {
  if (BUILT_IN.startsWith("{")) return JSON.parse(BUILT_IN) as Page;
  const { buildPage } = await import("./build.ts");
  return await buildPage();
}
