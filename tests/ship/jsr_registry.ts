// A registry of packages on this machine that speaks as much of JSR's protocol as `deno publish`
// and `deno run jsr:…` need: https://jsr.io/docs/api. What it serves is what Deno itself uploaded,
// with the import map already written into the specifiers; nothing here imitates that step.

import { assert, assertEquals } from "../support/assert.ts";

/** What a published version is made of. */
interface Version {
  files: Map<string, Uint8Array<ArrayBuffer>>;
  exports: Record<string, string>;
}

/** A registry that listens on the loopback device. */
export interface Registry extends AsyncDisposable {
  /** Value for `JSR_URL`. */
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly requests: readonly string[];
  /** Text of a published file; its path starts with a slash. */
  file(version: string, path: string): string | undefined;
  /** Names of the published files of a version. */
  files(version: string): string[];
}

async function checksum(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `sha256-${[...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** The regular files of an archive as `deno publish` makes it: gzip around plain ustar. */
export async function readTarball(
  packed: Uint8Array<ArrayBuffer>,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const text = (from: number, length: number) =>
    new TextDecoder().decode(bytes.subarray(from, from + length)).replace(/\0.*$/s, "");
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0;) {
    const kind = text(at + 156, 1);
    assert(kind === "0" || kind === "", `an entry of type ${JSON.stringify(kind)}`);
    const prefix = text(at + 257, 5) === "ustar" ? text(at + 345, 155) : "";
    const name = `${prefix === "" ? "" : `${prefix}/`}${text(at, 100)}`.replace(/^(?:\.?\/)*/, "/");
    const size = parseInt(text(at + 124, 12), 8);
    files.set(name, bytes.slice(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/** Opens an empty registry for one package. */
export function openRegistry(scope: string, name: string): Registry {
  const versions = new Map<string, Version>();
  const requests: string[] = [];
  const home = `/@${scope}/${name}/`;
  const api = `/api/scopes/${scope}/packages/${name}`;

  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    requests.push(pathname);
    if (pathname === api) return Response.json({ scope, name });
    if (pathname.startsWith(`${api}/versions/`) && request.method === "POST") {
      const version = pathname.slice(`${api}/versions/`.length);
      const files = await readTarball(new Uint8Array(await request.arrayBuffer()));
      const manifest = JSON.parse(new TextDecoder().decode(files.get("/deno.json")));
      assertEquals([manifest.name, manifest.version], [`@${scope}/${name}`, version]);
      versions.set(version, { files, exports: manifest.exports });
      return Response.json({ id: crypto.randomUUID(), status: "success", error: null });
    }
    if (!pathname.startsWith(home)) return new Response("not found", { status: 404 });
    const rest = pathname.slice(home.length);
    if (rest === "meta.json") {
      const latest = [...versions.keys()].at(-1) ?? null;
      const list = Object.fromEntries([...versions.keys()].map((version) => [version, {}]));
      return Response.json({ scope, name, latest, versions: list });
    }
    const meta = /^([^/]+)_meta\.json$/.exec(rest)?.[1];
    if (meta !== undefined && versions.has(meta)) {
      const { files, exports } = versions.get(meta)!;
      const manifest: Record<string, { size: number; checksum: string }> = {};
      for (const [path, bytes] of files) {
        manifest[path] = { size: bytes.length, checksum: await checksum(bytes) };
      }
      return Response.json({ manifest, exports });
    }
    const slash = rest.indexOf("/");
    const bytes = versions.get(rest.slice(0, slash))?.files.get(rest.slice(slash));
    if (bytes === undefined) return new Response("not found", { status: 404 });
    const type = rest.endsWith(".ts") ? "text/typescript" : "application/octet-stream";
    return new Response(bytes, { headers: { "content-type": type } });
  }

  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    requests,
    file(version, path) {
      const bytes = versions.get(version)?.files.get(path);
      return bytes && new TextDecoder().decode(bytes);
    },
    files: (version) => [...versions.get(version)?.files.keys() ?? []].sort(),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
