// Real agent programs for the end-to-end tests: installs pinned versions of codex and opencode from
// the npm registry into a cache folder of their own, and lays out a private home for a run, with
// settings that keep both programs off the network and on the model server of `model_server.ts`.
// An installation is made beside its final place and renamed into it, so one that was cut off is
// never taken for a whole one, and two test runs at once do not disturb each other.

/** Pinned version of `@openai/codex`. */
export const CODEX_VERSION = "0.169.0";
/** Pinned version of `opencode-ai`. */
export const OPENCODE_VERSION = "1.18.33";
/** API key that the homes below give to both programs. */
export const API_KEY = "test-key";

const OPENCODE_OFFLINE = {
  OPENCODE_DISABLE_MODELS_FETCH: "1",
  OPENCODE_DISABLE_AUTOUPDATE: "1",
  OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
  OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
  OPENCODE_DISABLE_CLAUDE_CODE: "1",
};

/** The installed programs. */
export interface AgentPrograms {
  /** Absolute path of the `codex` command. */
  readonly codex: string;
  /** Absolute path of the `opencode` command. */
  readonly opencode: string;
  /** Folder with both commands, for PATH. */
  readonly bin: string;
  /** Folder with an empty database of opencode's. */
  readonly opencodeData: string;
}

/** Folder for the installed programs: ORCHESTRA_AGENT_CACHE, else one in the user's cache. */
export function agentCacheFolder(): string {
  const set = Deno.env.get("ORCHESTRA_AGENT_CACHE");
  if (set) return set;
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? ".";
  if (Deno.build.os === "darwin") return `${home}/Library/Caches/orchestra-agents`;
  if (Deno.build.os === "windows") {
    return `${Deno.env.get("LOCALAPPDATA") ?? home}/orchestra-agents`;
  }
  return `${Deno.env.get("XDG_CACHE_HOME") ?? `${home}/.cache`}/orchestra-agents`;
}

/** Variables that make everything below `home` the only place that a program knows. */
export function privateHome(home: string): Record<string, string> {
  return {
    HOME: home,
    USERPROFILE: home,
    XDG_CONFIG_HOME: `${home}/.config`,
    XDG_DATA_HOME: `${home}/.local/share`,
    XDG_CACHE_HOME: `${home}/.cache`,
    XDG_STATE_HOME: `${home}/.local/state`,
    CODEX_HOME: `${home}/.codex`,
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}

/** Installs both programs unless they are there, and tells where they are. */
export async function installAgents(): Promise<AgentPrograms> {
  const cache = agentCacheFolder();
  const folder = `${cache}/codex-${CODEX_VERSION}_opencode-${OPENCODE_VERSION}`;
  const bin = `${folder}/node_modules/.bin`;
  if (!await exists(folder)) {
    await Deno.mkdir(cache, { recursive: true });
    const partial = await Deno.makeTempDir({ dir: cache, prefix: "partial-" });
    const dependencies = { "@openai/codex": CODEX_VERSION, "opencode-ai": OPENCODE_VERSION };
    // opencode's install step runs the program: hence the private home for npm as well.
    const manifest = { private: true, dependencies, allowScripts: { "opencode-ai": true } };
    await Deno.writeTextFile(`${partial}/package.json`, JSON.stringify(manifest));
    const npm = await new Deno.Command(Deno.build.os === "windows" ? "npm.cmd" : "npm", {
      args: ["install", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"],
      cwd: partial,
      env: { ...privateHome(`${partial}/home`), npm_config_cache: `${partial}/home/npm` },
      stdin: "null",
    }).output();
    if (!npm.success) {
      const said = new TextDecoder().decode(npm.stderr);
      await Deno.remove(partial, { recursive: true });
      throw new Error(`npm could not install the agent programs into ${cache}:\n${said}`);
    }
    await Deno.remove(`${partial}/home`, { recursive: true });
    try {
      await Deno.rename(partial, folder);
    } catch (error) {
      // Another run was quicker: its installation is as good as ours.
      await Deno.remove(partial, { recursive: true });
      if (!await exists(folder)) throw error;
    }
  }
  const opencodeData = `${folder}/opencode-data`;
  if (!await exists(opencodeData)) await makeOpencodeData(`${bin}/opencode`, cache, opencodeData);
  return { codex: `${bin}/codex`, opencode: `${bin}/opencode`, bin, opencodeData };
}

/**
 * Has opencode make its database once, for every home to begin with: several that start at once in
 * a fresh home all try to make it, and now and then some fail ("Failed query: CREATE TABLE").
 */
async function makeOpencodeData(opencode: string, cache: string, folder: string): Promise<void> {
  const home = await Deno.makeTempDir({ dir: cache, prefix: "partial-" });
  try {
    const { success, stderr } = await new Deno.Command(opencode, {
      args: ["db", "path"],
      cwd: home,
      env: { ...privateHome(home), ...OPENCODE_OFFLINE },
      stdin: "null",
    }).output();
    if (!success) throw new Error(`opencode db path: ${new TextDecoder().decode(stderr)}`);
    await Deno.rename(`${home}/.local/share/opencode`, folder);
  } catch (error) {
    // Another run was quicker: its database is as good as ours.
    if (!await exists(folder)) throw error;
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** Where and how a home is laid out. */
export interface AgentHomeOptions {
  /** Folder to lay out; made when it is not there. */
  home: string;
  /** Base address of the model server, with `/v1`. */
  url: string;
  /** Installed programs, put first on PATH. */
  programs: AgentPrograms;
}

/**
 * Writes the settings of both programs for one model server, and returns the environment to run
 * them (or Orchestra) with. Give it to a child with `clearEnv`, so that nothing of the real
 * user's settings, keys or proxies gets in.
 */
export async function layOutAgentHome(options: AgentHomeOptions): Promise<Record<string, string>> {
  const { home, url, programs } = options;
  const variables = privateHome(home);
  const codex = `${home}/.codex`;
  const opencode = `${home}/.config/opencode`;
  const data = `${home}/.local/share/opencode`;
  for (const folder of [codex, opencode, data, `${home}/tmp`]) {
    await Deno.mkdir(folder, { recursive: true });
  }
  for await (const { name, isFile } of Deno.readDir(programs.opencodeData)) {
    if (isFile) await Deno.copyFile(`${programs.opencodeData}/${name}`, `${data}/${name}`);
  }
  await Deno.writeTextFile(`${codex}/config.toml`, codexConfig(url));
  await Deno.writeTextFile(`${opencode}/opencode.json`, opencodeConfig(url));
  await satisfyOpencodePlugin(opencode);
  return {
    ...variables,
    PATH: `${programs.bin}:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}`,
    TMPDIR: `${home}/tmp`,
    LANG: "C.UTF-8",
    TZ: "UTC",
    LOOPBACK_API_KEY: API_KEY,
    ...OPENCODE_OFFLINE,
  };
}

/**
 * Makes an opencode config folder look as if the plugin package were installed: else opencode
 * fetches it from the npm registry into every config folder that it knows, the one of
 * OPENCODE_CONFIG_DIR included. The lock file must name the package, and `node_modules` be there.
 */
export async function satisfyOpencodePlugin(folder: string): Promise<void> {
  const version = OPENCODE_VERSION;
  const dependencies = { "@opencode-ai/plugin": version };
  const plugin = `${folder}/node_modules/@opencode-ai/plugin`;
  await Deno.mkdir(plugin, { recursive: true });
  const files: Record<string, unknown> = {
    [`${folder}/package.json`]: { dependencies },
    [`${folder}/package-lock.json`]: {
      name: "opencode",
      lockfileVersion: 3,
      requires: true,
      packages: { "": { dependencies }, "node_modules/@opencode-ai/plugin": { version } },
    },
    [`${plugin}/package.json`]: { name: "@opencode-ai/plugin", version },
  };
  for (const [path, value] of Object.entries(files)) {
    await Deno.writeTextFile(path, JSON.stringify(value, null, 2));
  }
}

/** Resolves when the file is there and not empty. The folder that holds it must exist. */
export async function waitForFile(path: string, signal?: AbortSignal): Promise<void> {
  const watcher = Deno.watchFs(path.slice(0, path.lastIndexOf("/")), { recursive: false });
  const stop = () => watcher.close();
  const written = async () => {
    try {
      return (await Deno.stat(path)).size > 0;
    } catch {
      return false;
    }
  };
  try {
    signal?.throwIfAborted();
    signal?.addEventListener("abort", stop);
    if (await written()) return;
    for await (const _ of watcher) if (await written()) return;
    throw signal?.reason ?? new Error(`${path} was not written`);
  } finally {
    signal?.removeEventListener("abort", stop);
    if (!signal?.aborted) stop();
  }
}

function codexConfig(url: string): string {
  return `model = "test-model"
model_provider = "loopback"
approval_policy = "never"
check_for_update_on_startup = false
web_search = "disabled"

[model_providers.loopback]
name = "Loopback"
base_url = ${JSON.stringify(url)}
wire_api = "responses"
env_key = "LOOPBACK_API_KEY"
request_max_retries = 0
stream_max_retries = 0

[analytics]
enabled = false

[feedback]
enabled = false

[features]
plugins = false
apps = false
`;
}

function opencodeConfig(url: string): string {
  const config = {
    share: "disabled",
    autoupdate: false,
    model: "loopback/test-model",
    small_model: "loopback/test-model",
    enabled_providers: ["loopback"],
    provider: {
      loopback: {
        npm: "@ai-sdk/openai-compatible",
        name: "Loopback",
        options: { baseURL: url, apiKey: "{env:LOOPBACK_API_KEY}" },
        models: {
          "test-model": {
            name: "Test model",
            limit: { context: 400000, output: 8000 },
            // US dollars for a million tokens.
            cost: { input: 1, output: 10, cache_read: 0.1 },
          },
        },
      },
    },
  };
  return JSON.stringify(config, null, 2);
}
