// `deno run --allow-read=deno.json --allow-write=deno.json .ci/jsr_imports.ts`: what is published to
// JSR imports the official packages of the standard library. In the repository they are one person's
// republication of the same source on npm, for npm can be reached where JSR cannot. The names are the
// same, so that the modules need not be touched: only what the import map says of them is.

/** The republication, as the import map of the repository names it. */
const REPUBLISHED = /^npm:deno-std@[^/]+\//;

/** Versions that are taken: those that have what we use, up to the next that may break it. */
const VERSIONS = "^1.0.0";

/** The import map as it is published. */
export function importsForJsr(imports: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(imports).map(([name, target]) => [
      name,
      REPUBLISHED.test(target) ? official(name) : target,
    ]),
  );
}

/** `@std/fmt/bytes` is `./bytes` of the package `@std/fmt`. */
function official(name: string): string {
  const [scope, pack, ...rest] = name.split("/");
  if (scope !== "@std" || pack === undefined) {
    throw new Error(`${JSON.stringify(name)} is not the official name of a package`);
  }
  return [`jsr:@std/${pack}@${VERSIONS}`, ...rest].join("/");
}

if (import.meta.main) {
  const text = Deno.readTextFileSync("deno.json");
  const manifest = JSON.parse(text);
  manifest.imports = importsForJsr(manifest.imports);
  Deno.writeTextFileSync("deno.json", JSON.stringify(manifest, null, 2) + "\n");
}
