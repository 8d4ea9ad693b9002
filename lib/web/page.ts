// Where the document of the page comes from: the second asset has it built in; from source it is built
// when the server starts.

/** The document, and the policy that says what a browser may run of it. */
export interface Page {
  readonly html: string;
  /** Value of `Content-Security-Policy`. */
  readonly csp: string;
}

/** The one text in it stands here in the sources; the bundler puts the page in its place, as JSON. */
const BUILT_IN = ["@page@"];

/** The page. */
export async function loadPage(): Promise<Page> {
  const [text] = BUILT_IN;
  if (text!.startsWith("{")) return JSON.parse(text!) as Page;
  const { buildPage } = await import("./build.ts");
  return await buildPage();
}
