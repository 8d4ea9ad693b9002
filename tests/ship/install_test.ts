// The installers.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { type Missing, needs, ON_POSIX, succeeds, test, which } from "../support/needs.ts";
import { makeFolder, type Outcome } from "../support/program.ts";
import { checksumLine, fileFor, TARGETS } from "../../.ci/compile.ts";
import { DENO, execute, namesBelow, ROOT, succeeded, WINDOWS } from "../support/execute.ts";

/** What install.sh fetches with. */
const FETCHES: Missing = ON_POSIX ??
  (needs("curl") === null ? null : needs("wget") === null ? null : needs("curl", "wget"));

/** A host of releases, and a machine that installs from it. */
interface Site extends AsyncDisposable {
  readonly url: string;
  /** Folder that is installed into. */
  readonly folder: string;
  /** Files by their paths below the releases. */
  readonly files: Map<string, string>;
  readonly requests: string[];
  /** Runs install.sh; `tools` are all the programs that it finds. */
  install(env?: Record<string, string>, tools?: Record<string, string>): Promise<Outcome>;
}

const LINUX = "x86_64-unknown-linux-gnu";

async function makeSite(): Promise<Site> {
  const place = await makeFolder();
  const files = new Map<string, string>();
  const requests: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const path = new URL(request.url).pathname;
    requests.push(path);
    const text = files.get(path);
    return text === undefined ? new Response("not found", { status: 404 }) : new Response(text);
  });
  const url = `http://127.0.0.1:${server.addr.port}/releases`;
  const program = '#!/bin/sh\necho "orchestra 9.9.9"\n';
  Deno.writeTextFileSync(`${place.path}/${fileFor(LINUX)}`, program);
  const sum = await checksumLine(`${place.path}/${fileFor(LINUX)}`);
  for (const folder of ["latest/download", "download/v9.9.9"]) {
    files.set(`/releases/${folder}/${fileFor(LINUX)}`, program);
    files.set(`/releases/${folder}/${fileFor(LINUX)}.sha256`, sum);
  }
  const folder = `${place.path}/to here`;
  let turn = 0;
  return {
    url,
    folder,
    files,
    requests,
    install(env = {}, tools = {}) {
      const bin = `${place.path}/tools${turn++}`;
      Deno.mkdirSync(bin);
      const uname = 'case "$1" in -s) echo Linux;; -m) echo x86_64;; esac';
      for (const [name, script] of Object.entries({ uname, ldd: "echo GNU libc", ...tools })) {
        Deno.writeTextFileSync(`${bin}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      }
      return execute("sh", [`${ROOT}/.ci/install.sh`], {
        env: {
          PATH: `${bin}:${Deno.env.get("PATH")}`,
          ORCHESTRA_INSTALL: folder,
          ORCHESTRA_URL: url,
          NO_PROXY: "127.0.0.1",
          ...env,
        },
      });
    },
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await place[Symbol.asyncDispose]();
    },
  };
}

/** Whatever is in a folder; nothing where it does not exist. */
function inFolder(path: string): string[] {
  try {
    return namesBelow(path);
  } catch {
    return [];
  }
}

test(
  "install.sh installs the program whose sum is right, from the latest release or a named one",
  FETCHES,
  async () => {
    await using site = await makeSite();
    const { stdout } = succeeded(await site.install(), "install.sh");
    assertEquals(
      stdout,
      `Installed ${site.folder}/orchestra\n` +
        `Add it to your PATH: export PATH="${site.folder}:$PATH"\n`,
    );
    assertEquals(inFolder(site.folder), ["orchestra"]);
    assertEquals((await execute(`${site.folder}/orchestra`, [])).stdout, "orchestra 9.9.9\n");
    assertEquals(
      new Set(site.requests.map((path) => path.split("/").slice(0, -1).join("/"))),
      new Set(["/releases/latest/download"]),
    );
    // Once more, over the one that is there.
    const again = await site.install({
      ORCHESTRA_VERSION: "v9.9.9",
      PATH: `${Deno.env.get("PATH")}:${site.folder}`,
    });
    assertEquals(succeeded(again, "install.sh").stdout, `Installed ${site.folder}/orchestra\n`);
    assertEquals(inFolder(site.folder), ["orchestra"]);
    assert(site.requests.includes(`/releases/download/v9.9.9/${fileFor(LINUX)}`));
  },
);

test(
  "install.sh refuses what does not fit its sum, and leaves nothing behind",
  FETCHES,
  async () => {
    await using site = await makeSite();
    Deno.mkdirSync(site.folder);
    Deno.writeTextFileSync(`${site.folder}/orchestra`, "the one before");
    const path = `/releases/latest/download/${fileFor(LINUX)}`;
    const [program, sum] = [site.files.get(path)!, site.files.get(`${path}.sha256`)!];
    for (
      const [files, message] of [
        [{ [path]: `${program}# and more\n` }, /is not what its sum says: nothing was installed/],
        [{ [path]: "" }, /is not what its sum says/],
        [{ [`${path}.sha256`]: "" }, /holds no SHA-256 sum/],
        [{ [`${path}.sha256`]: "<html>not found</html>" }, /holds no SHA-256 sum/],
        [{ [`${path}.sha256`]: sum.slice(1) }, /is not what its sum says/],
      ] as [Record<string, string>, RegExp][]
    ) {
      site.files.set(path, program);
      site.files.set(`${path}.sha256`, sum);
      for (const [name, text] of Object.entries(files)) site.files.set(name, text);
      const refused = await site.install();
      assertEquals([refused.code, refused.stdout], [1, ""], JSON.stringify(refused));
      assertMatch(refused.stderr, message);
      assertEquals(inFolder(site.folder), ["orchestra"]);
      assertEquals(Deno.readTextFileSync(`${site.folder}/orchestra`), "the one before");
    }
    site.files.set(path, program);
    site.files.set(`${path}.sha256`, sum);
    // No program that can check: not installed unchecked.
    const blind = { sha256sum: "exit 127", shasum: "exit 127", openssl: "exit 127" };
    assertEquals((await site.install({}, blind)).code, 1);
    assertEquals(Deno.readTextFileSync(`${site.folder}/orchestra`), "the one before");
  },
);

test(
  "install.sh says what it could not fetch, and for what there is no program",
  FETCHES,
  async () => {
    await using site = await makeSite();
    const missing = await site.install({ ORCHESTRA_VERSION: "v0.0.0" });
    assertEquals(missing.code, 1);
    assertStringIncludes(
      missing.stderr,
      `install: could not fetch ${site.url}/download/v0.0.0/${fileFor(LINUX)}.sha256\n`,
    );
    const machine = (system: string, name: string) => ({
      uname: `case "$1" in -s) echo ${system};; -m) echo ${name};; esac`,
      sysctl: "exit 1",
    });
    for (
      const [tools, message] of [
        [machine("Linux", "riscv64"), /no program for Linux on riscv64; with Deno installed/],
        [machine("FreeBSD", "amd64"), /no program for FreeBSD on amd64/],
        [machine("MINGW64_NT-10.0", "x86_64"), /on Windows run install\.ps1/],
        [{ ldd: "echo musl libc >&2; exit 1" }, /no program for Linux on x86_64/],
      ] as [Record<string, string>, RegExp][]
    ) {
      const before = site.requests.length;
      const refused = await site.install({}, tools);
      assertEquals([refused.code, refused.stdout], [1, ""], JSON.stringify(refused));
      assertMatch(refused.stderr, message);
      assertEquals(site.requests.length, before);
    }
    const source = await site.install({ ORCHESTRA_URL: "" });
    assertEquals(source.code, 1);
    assertStringIncludes(source.stderr, "say where the releases are in ORCHESTRA_URL");
    assertEquals(inFolder(site.folder), []);

    const asked: [Record<string, string>, string][] = [
      [machine("Linux", "aarch64"), "aarch64-unknown-linux-gnu"],
      [machine("Darwin", "x86_64"), "x86_64-apple-darwin"],
      [machine("Darwin", "arm64"), "aarch64-apple-darwin"],
      [{ ...machine("Darwin", "x86_64"), sysctl: "echo 1" }, "aarch64-apple-darwin"],
    ];
    for (const [tools, target] of asked) {
      assertEquals((await site.install({}, tools)).code, 1);
      assertEquals(site.requests.at(-1), `/releases/latest/download/${fileFor(target)}.sha256`);
    }
    assertEquals(inFolder(site.folder), []);
  },
);

test("install.sh does with wget what it does with curl", ON_POSIX ?? needs("wget"), async () => {
  await using site = await makeSite();
  await using folder = await makeFolder();
  const tools = "sh mkdir mktemp rm mv chmod cut head grep wget sha256sum shasum openssl cat"
    .split(" ");
  for (const name of tools) {
    const path = which(name);
    if (path !== undefined) Deno.symlinkSync(path, `${folder.path}/${name}`);
  }
  const uname = '#!/bin/sh\ncase "$1" in -s) echo Linux;; -m) echo x86_64;; esac\n';
  Deno.writeTextFileSync(`${folder.path}/uname`, uname, { mode: 0o755 });
  const env = { PATH: folder.path };
  const missing = await site.install({ ...env, ORCHESTRA_VERSION: "v0.0.0" });
  assertEquals(missing.code, 1, JSON.stringify(missing));
  assertStringIncludes(missing.stderr, "install: could not fetch ");
  succeeded(await site.install(env), "install.sh");
  assertEquals(inFolder(site.folder), ["orchestra"]);
  Deno.removeSync(`${folder.path}/wget`);
  const none = await site.install(env);
  assertEquals(none.code, 1);
  assertStringIncludes(none.stderr, "neither curl nor wget");
});

const POWERSHELL = WINDOWS ? "powershell.exe" : which("pwsh") ?? "";

/** A PowerShell that runs what it is given: that of Wine does nothing, and says that it went well. */
const RUNS_POWERSHELL: Missing = succeeds(POWERSHELL, "-NoProfile", "-Command", "exit 0") &&
    !succeeds(POWERSHELL, "-NoProfile", "-Command", "exit 1")
  ? null
  : "no PowerShell is here";

Deno.test("install.ps1 fetches what a release has with its sum, and reads the variables that it names", () => {
  const script = Deno.readTextFileSync(`${ROOT}/.ci/install.ps1`);
  const fetched = new Set(script.match(/(?<=')orchestra[^']*(?=')/g));
  // Where it puts the executable.
  fetched.delete("orchestra.exe");
  const release = Deno.readTextFileSync(`${ROOT}/.github/workflows/release.yml`);
  const summed = /for file in (.*); do sha256sum/.exec(release)![1]!.split(" ");
  const executable = TARGETS.filter((target) => target.includes("windows")).map(fileFor);
  assertEquals(fetched, new Set([...executable, ...summed]));
  const variables = (text: string) => new Set(text.match(/\bORCHESTRA_[A-Z_]+/g));
  const comments = script.split("\n").filter((line) => line.startsWith("#   ")).join("\n");
  assertEquals(variables((script.match(/\$env:\w+/g) ?? []).join(" ")), variables(comments));
});

test(
  "install.ps1 installs the one file where that is asked for, and where there is no executable",
  RUNS_POWERSHELL,
  async () => {
    await using site = await makeSite();
    const names = ["orchestra-web.js", "orchestra.cmd", "orchestra.js"];
    await using folder = await makeFolder();
    for (const name of names) {
      const path = `${folder.path}/${name}`;
      Deno.writeTextFileSync(path, `this is ${name}`);
      site.files.set(`/releases/latest/download/${name}`, `this is ${name}`);
      site.files.set(`/releases/latest/download/${name}.sha256`, await checksumLine(path));
    }
    const path = [DENO.replace(/[/\\][^/\\]*$/, ""), Deno.env.get("PATH")];
    const install = (env: Record<string, string> = {}) =>
      execute(POWERSHELL, ["-NoProfile", "-File", `${ROOT}/.ci/install.ps1`], {
        env: {
          ORCHESTRA_INSTALL: site.folder,
          ORCHESTRA_URL: site.url,
          PATH: path.join(WINDOWS ? ";" : ":"),
          ...env,
        },
      });
    // Here the release has none for Windows.
    const { stdout } = succeeded(await install(), "install.ps1");
    assertMatch(stdout, /^Installed .*orchestra\.cmd\r?$/m);
    assertEquals(inFolder(site.folder), names);
    const windows = `/releases/latest/download/${fileFor("x86_64-pc-windows-msvc")}`;
    const linux = `/releases/latest/download/${fileFor(LINUX)}`;
    for (const end of ["", ".sha256"]) site.files.set(windows + end, site.files.get(linux + end)!);
    succeeded(await install(), "install.ps1");
    assertEquals(inFolder(site.folder), [...names, "orchestra.exe"].sort());
    succeeded(await install({ ORCHESTRA_ONE_FILE: "1" }), "install.ps1");
    assertEquals(inFolder(site.folder), names);
    site.files.set("/releases/latest/download/orchestra.cmd", "something else");
    const refused = await install({ ORCHESTRA_ONE_FILE: "1" });
    assert(refused.code !== 0);
    assertStringIncludes(refused.stderr + refused.stdout, "is not what its sum says");
    assertEquals(Deno.readTextFileSync(`${site.folder}/orchestra.cmd`), "this is orchestra.cmd");
  },
);

test(
  "install.ps1 installs the program whose sum is right, and refuses any other",
  RUNS_POWERSHELL,
  async () => {
    await using site = await makeSite();
    const name = fileFor("x86_64-pc-windows-msvc");
    const path = `/releases/latest/download/${name}`;
    const linux = `/releases/latest/download/${fileFor(LINUX)}`;
    site.files.set(path, site.files.get(linux)!);
    site.files.set(`${path}.sha256`, site.files.get(`${linux}.sha256`)!);
    const install = (env: Record<string, string> = {}) =>
      execute(POWERSHELL, ["-NoProfile", "-File", `${ROOT}/.ci/install.ps1`], {
        env: { ORCHESTRA_INSTALL: site.folder, ORCHESTRA_URL: site.url, ...env },
      });
    assertStringIncludes(succeeded(await install(), "install.ps1").stdout, "Installed ");
    assertEquals(inFolder(site.folder), ["orchestra.exe"]);
    site.files.set(path, "something else");
    const refused = await install();
    assert(refused.code !== 0);
    assertStringIncludes(refused.stderr + refused.stdout, "is not what its sum says");
    const missing = await install({ ORCHESTRA_VERSION: "v0.0.0" });
    assert(missing.code !== 0);
    assertStringIncludes(missing.stderr + missing.stdout, "could not fetch");
    assertEquals(inFolder(site.folder), ["orchestra.exe"]);
    assertEquals(
      Deno.readTextFileSync(`${site.folder}/orchestra.exe`),
      site.files.get(linux),
    );
  },
);
