// Real agent programs for the end-to-end tests: installs pinned versions from the npm registry into a
// cache folder of their own, and lays out a private home for a run, with settings that keep the
// programs off the network and on the model server of `model_server.ts`.
// An installation is made beside its final place and renamed into it, so one that was cut off is
// never taken for a whole one, and two test runs at once do not disturb each other.

/** Programs that can be installed: their packages in the npm registry, pinned. */
const PACKAGES = {
  codex: { name: "@openai/codex", version: "0.169.0" },
  opencode: { name: "opencode-ai", version: "1.18.33" },
  gemini: { name: "@google/gemini-cli", version: "0.61.0" },
  qwen: { name: "@qwen-code/qwen-code", version: "0.24.4" },
  copilot: { name: "@github/copilot", version: "1.0.102" },
  /** For those that want a newer one than the machine has. */
  node: { name: "node", version: "22.23.3" },
} as const;
/** A program that can be installed. */
export type Program = keyof typeof PACKAGES;

/** The pinned version of a program. */
export function versionOf(program: Program): string {
  return PACKAGES[program].version;
}

/** The package of a program. */
export function packageOf(program: Program): string {
  return PACKAGES[program].name;
}

/** API key that the homes below give to every program. */
export const API_KEY = "test-key";

const OPENCODE_OFFLINE = {
  OPENCODE_DISABLE_MODELS_FETCH: "1",
  OPENCODE_DISABLE_AUTOUPDATE: "1",
  OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
  OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
  OPENCODE_DISABLE_CLAUDE_CODE: "1",
};

/** Nothing of theirs is tried again by the programs themselves: that would take minutes. */
const GEMINI_SETTINGS = {
  security: { auth: { selectedType: "gemini-api-key" } },
  general: { maxAttempts: 1, enableAutoUpdate: false, enableAutoUpdateNotification: false },
  model: { name: "gemini-2.5-pro" },
  privacy: { usageStatisticsEnabled: false },
};
const QWEN_SETTINGS = {
  security: { auth: { selectedType: "openai" } },
  general: { disableAutoUpdate: true, enableAutoUpdate: false },
  model: { name: "test-model", generationConfig: { maxRetries: 0 } },
  privacy: { usageStatisticsEnabled: false },
};

/** The installed programs. */
export interface AgentPrograms {
  /** Folders with their commands, for PATH. */
  readonly path: readonly string[];
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

/** Installs programs unless they are there, and tells where they are. */
export async function installAgents(programs: readonly Program[]): Promise<AgentPrograms> {
  const path = [];
  for (const program of programs) path.push(await install(program));
  const cache = agentCacheFolder();
  const opencodeData = `${cache}/opencode-${versionOf("opencode")}-data`;
  if (programs.includes("opencode") && !await exists(opencodeData)) {
    await makeOpencodeData(`${path[programs.indexOf("opencode")]}/opencode`, cache, opencodeData);
  }
  return { path, opencodeData };
}

/** Installs a program, and returns the folder of its command. */
async function install(program: Program): Promise<string> {
  const { name, version } = PACKAGES[program];
  const cache = agentCacheFolder();
  const folder = `${cache}/${program}-${version}`;
  const bin = `${folder}/node_modules/.bin`;
  if (await exists(folder)) return bin;
  await Deno.mkdir(cache, { recursive: true });
  const partial = await Deno.makeTempDir({ dir: cache, prefix: "partial-" });
  // An install step may run the program (opencode's does): hence the private home for npm as well.
  const manifest = {
    private: true,
    dependencies: { [name]: version },
    allowScripts: { [name]: true },
  };
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
    throw new Error(`npm could not install ${name} into ${cache}:\n${said}`);
  }
  await Deno.remove(`${partial}/home`, { recursive: true });
  try {
    await Deno.rename(partial, folder);
  } catch (error) {
    // Another run was quicker: its installation is as good as ours.
    await Deno.remove(partial, { recursive: true });
    if (!await exists(folder)) throw error;
  }
  return bin;
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
 * Writes the settings of the programs for one model server, and returns the environment to run
 * them (or Orchestra) with. Give it to a child with `clearEnv`, so that nothing of the real
 * user's settings, keys or proxies gets in.
 */
export async function layOutAgentHome(options: AgentHomeOptions): Promise<Record<string, string>> {
  const { home, url, programs } = options;
  const variables = privateHome(home);
  const codex = `${home}/.codex`;
  const opencode = `${home}/.config/opencode`;
  const data = `${home}/.local/share/opencode`;
  const gemini = `${home}/.gemini`;
  const qwen = `${home}/.qwen`;
  for (const folder of [codex, opencode, data, gemini, qwen, `${home}/tmp`]) {
    await Deno.mkdir(folder, { recursive: true });
  }
  await Deno.writeTextFile(`${gemini}/settings.json`, JSON.stringify(GEMINI_SETTINGS));
  await Deno.writeTextFile(`${qwen}/settings.json`, JSON.stringify(QWEN_SETTINGS));
  for await (const { name, isFile } of Deno.readDir(programs.opencodeData)) {
    if (isFile) await Deno.copyFile(`${programs.opencodeData}/${name}`, `${data}/${name}`);
  }
  await Deno.writeTextFile(`${codex}/config.toml`, codexConfig(url));
  await Deno.writeTextFile(`${opencode}/opencode.json`, opencodeConfig(url));
  await satisfyOpencodePlugin(opencode);
  return {
    ...variables,
    PATH: [...programs.path, Deno.env.get("PATH") ?? "/usr/bin:/bin"].join(":"),
    TMPDIR: `${home}/tmp`,
    LANG: "C.UTF-8",
    TZ: "UTC",
    LOOPBACK_API_KEY: API_KEY,
    ...OPENCODE_OFFLINE,
    GEMINI_API_KEY: API_KEY,
    GOOGLE_GEMINI_BASE_URL: new URL(url).origin,
    OPENAI_API_KEY: API_KEY,
    OPENAI_BASE_URL: url,
    OPENAI_MODEL: "test-model",
    COPILOT_OFFLINE: "true",
    COPILOT_MODEL: "test-model",
    COPILOT_PROVIDER_BASE_URL: url,
    COPILOT_PROVIDER_API_KEY: API_KEY,
  };
}

/**
 * Makes an opencode config folder look as if the plugin package were installed: else opencode
 * fetches it from the npm registry into every config folder that it knows, the one of
 * OPENCODE_CONFIG_DIR included. The lock file must name the package, and `node_modules` be there.
 */
export async function satisfyOpencodePlugin(folder: string): Promise<void> {
  const version = versionOf("opencode");
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

/** Settings of Codex for a model server. */
export function codexConfig(url: string): string {
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
