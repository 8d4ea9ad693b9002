// A real agent on Windows: Codex, as its package for Windows has it, through its preset, against a model of
// our own. Where its program is not on PATH that is said.

import { assert, assertEquals } from "../support/assert.ts";
import { needs, ON_WINDOWS, test } from "../support/needs.ts";
import { makeBox, makeFolder } from "../support/program.ts";
import { API_KEY, codexConfig } from "./agent_programs.ts";
import { startModelServer } from "./model_server.ts";

test(
  "Codex is run on Windows by its preset, and told the prompt as it was written",
  ON_WINDOWS ?? needs("codex"),
  async () => {
    // It says something and ends: what its tools can do depends on the shell that there is.
    const server = startModelServer({ scenario: "idle" });
    await using home = await makeFolder();
    await using box = await makeBox();
    try {
      Deno.writeTextFileSync(`${home.path}/config.toml`, codexConfig(server.url));
      // Wine lets it not write what it has locked.
      Deno.writeTextFileSync(`${home.path}/installation_id`, crypto.randomUUID());
      const settings = `${box.root}/.orchestra-cli/agent-config.json`;
      Deno.removeSync(settings);
      await box.ok("init", "--agent", "codex");
      const { agents } = JSON.parse(Deno.readTextFileSync(settings));
      agents.codex.completion = "exit";
      Deno.writeTextFileSync(settings, JSON.stringify({ agents }));
      const prompt = 'say "hi" & echo %PATH%\nand go on';
      const id = await box.start("codex", prompt);
      const env = { CODEX_HOME: home.path, LOOPBACK_API_KEY: API_KEY };
      const { code, stderr } = await box.runWith({ env }, "run", "--all", "--wait");
      assertEquals(code, 0, stderr);
      const { status, usage } = box.task(id);
      assertEquals(status, "complete");
      assert(usage !== null && usage.inputTokens! > 0, JSON.stringify(usage));
      assert(server.log.some(({ request }) => request.prompt.includes(prompt)), "the prompt");
      assertEquals(server.unexpected, []);
    } finally {
      await server.close();
    }
  },
);
