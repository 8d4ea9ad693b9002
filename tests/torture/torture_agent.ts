// The agent of the torture test where there is no `sh`; the same as torture_agent.sh, told once there.

const {
  TORTURE_LEDGER: ledger,
  ORCHESTRA_TASK_ID: id,
  ORCHESTRA_DONE_FILE: doneFile,
  ORCHESTRA_ERROR_FILE: errorFile,
} = Deno.env.toObject() as Record<string, string>;

function say(...words: unknown[]): void {
  Deno.writeTextFileSync(`${ledger}/${Deno.pid}`, `${words.join(" ")}\n`, { append: true });
}

const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function verify(how: string | undefined): Promise<number> {
  say("verify", id);
  if (how === "slow") await sleep(0.2);
  return 0;
}

async function work(prompt: string): Promise<number> {
  const [kind, token, seconds] = prompt.split(" ");
  say("start", id, Deno.ppid, token);
  await sleep(Number(seconds));
  switch (kind) {
    case "sentinel":
      say("good", id);
      Deno.writeTextFileSync(doneFile!, '{"summary": "done');
      Deno.writeTextFileSync(doneFile!, ` ${token}"}\n`, { append: true });
      return 0;
    case "linger":
      say("good", id);
      Deno.writeTextFileSync(doneFile!, "");
      await sleep(1000);
      return 0;
    case "exit":
    case "verified":
      say("good", id);
      return 0;
    case "error":
      say("bad", id);
      Deno.writeTextFileSync(errorFile!, '{"error": "asked to fail"}\n');
      return 0;
    case "seven":
      say("bad", id);
      return 7;
    case "quota":
      try {
        Deno.mkdirSync(`${ledger}.quota.${token}`);
      } catch {
        say("good", id);
        return 0;
      }
      say("bad", id);
      console.log("error 429: quota is used up");
      return 1;
    case "tool":
      new Deno.Command(Deno.execPath(), {
        args: ["eval", "setTimeout(() => {}, 1e6)"],
        stdin: "null",
        stdout: "null",
        stderr: "null",
        detached: true,
      }).spawn().unref();
  }
  // `hang`, and what a tool was started by.
  await sleep(1000);
  return 0;
}

const [first = "", second] = Deno.args;
Deno.exit(first === "verify" ? await verify(second) : await work(first));
