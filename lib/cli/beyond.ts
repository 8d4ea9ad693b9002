// What lies beyond the folders that Deno lets us look at, told by `sh`: we may start programs. It is
// asked only to say what is wrong, or to find the folder that `-C` names.

/** The nearest folder, from one upwards, that is a workspace. */
export function askForRoot(folder: string): string | undefined {
  return ask(
    'd=${1%/}; while :; do if [ -e "$d/.orchestra" ] || [ -d "$d/.orchestra-cli" ]; then ' +
      'printf %s "${d:-/}"; exit; fi; [ -n "$d" ] || exit 1; d=${d%/*}; done',
    folder,
  );
}

/** The real path of a folder; undefined where there is none. */
export function askForFolder(folder: string): string | undefined {
  return ask('cd -P -- "$1" && pwd -P', folder)?.replace(/\n$/, "");
}

function ask(script: string, argument: string): string | undefined {
  if (Deno.build.os === "windows") return undefined;
  try {
    const { success, stdout } = new Deno.Command("/bin/sh", {
      args: ["-c", script, "sh", argument],
      stdin: "null",
      stderr: "null",
    }).outputSync();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch {
    // Not even that is allowed.
    return undefined;
  }
}
