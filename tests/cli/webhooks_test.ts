// Hooks and webhooks as their users meet them: real receivers, real programs, and supervisors that are
// killed.

import { permissionFlags } from "../../lib/supervise/permissions.ts";
import { quote } from "../../lib/task/error.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { KILLED, NARROW, ON_WINDOWS, SHELL, test } from "../support/needs.ts";
import { type Box, kill, MAIN, makeBox, makeFolder, spawn } from "../support/program.ts";
import { type Message, receive } from "../support/receiver.ts";
import { lineCommand, waitingFor } from "../support/shell.ts";
import { IDLE } from "../support/spawn.ts";

const keyOf = ({ headers }: Message) => headers.get("webhook-id")!;

/** What a file below `.orchestra/` holds; empty where there is none. */
function textOf(box: Box, name: string): string {
  try {
    return Deno.readTextFileSync(box.path(name));
  } catch {
    return "";
  }
}

/** Names of what is owed to a subscriber. */
function owed(box: Box, name: string): string[] {
  try {
    return [...Deno.readDirSync(box.path(`outbox/${name}`))].map(({ name }) => name)
      .filter((file) => file.endsWith(".json") && !/^(?:state|disabled)\.json$/.test(file));
  } catch {
    return [];
  }
}

Deno.test("a command that launches does not wait: a supervisor tells the webhook, and leaves", async () => {
  await using receiver = receive();
  await using box = await makeBox();
  box.config({ webhooks: [{ url: receiver.url, name: "chat" }] });
  const id = await box.start("shell", "exit 3");
  await box.ok("run");
  const messages = await receiver.until((all) => all.length >= 2 && all);
  await box.unwatched();
  assertEquals(messages.map(keyOf), [`${id}.1.failed`, `drained.${id}.1.failed`]);
  const [failed, drained] = messages.map(({ body }) => JSON.parse(body));
  assertEquals(failed.type, "orchestra.task.failed");
  assertEquals([failed.data.task, failed.data.class, failed.data.exitCode], [id, "exit", 3]);
  assertEquals(drained.type, "orchestra.queue.drained");
  assertEquals(owed(box, "chat"), []);
  const [chat] = (await box.json("webhooks", "list")).subscribers;
  assertEquals([chat.state, chat.owed, chat.kind], ["ok", 0, "webhook"]);
  const log = await box.json("webhooks", "log");
  assertEquals(log.map(({ ok }: { ok: boolean }) => ok), [true, true]);
});

Deno.test("a webhook with the name of one of Windows' devices is told like another", async () => {
  await using receiver = receive();
  await using box = await makeBox();
  const webhooks = ["con", "aux.txt", "bell."].map((name) => ({ url: receiver.url, name }));
  box.config({ webhooks });
  const id = await box.start("shell", "exit 3");
  await box.ok("run");
  const messages = await receiver.until((all) => all.length >= 6 && all);
  await box.unwatched();
  const expected = [`${id}.1.failed`, `drained.${id}.1.failed`].flatMap((key) => [key, key, key]);
  assertEquals(messages.map(keyOf).sort(), expected.sort());
  const log: { name: string }[] = await box.json("webhooks", "log");
  assertEquals([...new Set(log.map(({ name }) => name))].sort(), ["aux.txt", "bell.", "con"]);
  // Without an entry it is known by its folder.
  box.config({ webhooks: [] });
  assertEquals((await box.json("webhooks", "log", "con")).length, 2);
});

test(
  "a hook on Windows is named after its program, whatever folder that is in",
  ON_WINDOWS,
  async () => {
    await using box = await makeBox();
    const on = ["failed"];
    box.config({
      hooks: [
        { on, run: ["C:\\my tools\\bell.exe"] },
        { on, run: ["C:/my tools/bell.exe", "twice"] },
      ],
    });
    const { subscribers } = await box.json("webhooks", "list");
    assertEquals(
      subscribers.map(({ name }: { name: string }) => /^bell\.exe-[a-z0-9]{4}$/.test(name)),
      [true, true],
    );
  },
);

Deno.test("what happened before the webhook was set is not told", async () => {
  await using receiver = receive();
  await using box = await makeBox();
  const before = await box.start("shell", "true");
  await box.ok("run", "--wait");
  box.config({ webhooks: [{ url: receiver.url }] });
  const after = await box.start("shell", "true");
  await box.ok("run");
  await receiver.until((all) => all.some(({ data }) => data.event === "drained"));
  await box.unwatched();
  const tasks = receiver.messages.map(({ data }) => data.task);
  assert(tasks.includes(after) && !tasks.includes(before), tasks.join());
});

Deno.test("a retry carries the same id, and a receiver that is back gets all it was owed, in order", async () => {
  await using receiver = receive((_, number) =>
    new Response(null, { status: number === 0 ? 500 : 204 })
  );
  await using box = await makeBox();
  box.config({ webhooks: [{ url: receiver.url, name: "chat", on: ["complete"] }] });
  const ids: string[] = [];
  for (const word of ["true", "exit 0"]) ids.push(await box.start("shell", word));
  await box.ok("run", "--all");
  await receiver.until((all) => all.length >= 3);
  await box.unwatched();
  const keys = receiver.messages.map(keyOf);
  assertEquals(keys[0], keys[1]);
  assertEquals(new Set(keys), new Set(ids.map((id) => `${id}.1.complete`)));
  assertEquals(receiver.messages[0]!.body, receiver.messages[1]!.body);
});

Deno.test("a supervisor that is killed loses nothing, whenever that is", async () => {
  await using box = await makeBox();
  // Killed while the receiver has it and has not answered, and just when it has.
  let deaths = 0;
  await using receiver = receive((_, number) => {
    if (number % 2 === 0 && deaths < 6) {
      deaths++;
      for (const pid of box.supervisors()) kill(pid, "SIGKILL");
    }
    return new Response();
  });
  box.config({
    webhooks: [{ url: receiver.url, name: "chat", on: ["complete"] }],
    hooks: [{ on: ["complete"], run: lineCommand('echo "$ORCHESTRA_EVENT_KEY" >>told') }],
  });
  const ids: string[] = [];
  for (let count = 0; count < 5; count++) ids.push(await box.start("shell", "true"));
  const wanted = ids.map((id) => `${id}.1.complete`).sort();
  await box.ok("run", "--parallel", "5");
  const hooked = () => {
    try {
      return Deno.readTextFileSync(`${box.root}/told`).trim().split("\n");
    } catch {
      return [];
    }
  };
  const isTold = (keys: readonly string[]) => wanted.every((key) => keys.includes(key));
  // Whoever looks next leaves another one.
  while (!isTold(receiver.messages.map(keyOf)) || !isTold(hooked())) {
    await box.ok("status");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert(deaths >= 1);
  await box.ok("status");
  await box.unwatched();
  assertEquals([...new Set(receiver.messages.map(keyOf))].sort(), wanted);
  assertEquals([...new Set(hooked())].sort(), wanted);
  assertEquals(owed(box, "chat"), []);
});

Deno.test("a receiver and a hook that hang hold up no task", async () => {
  await using receiver = receive(() => new Promise(() => {}));
  await using box = await makeBox();
  box.config({
    webhooks: [{ url: receiver.url, name: "chat", on: ["launched", "complete"] }],
    hooks: [{ on: ["launched", "complete"], run: IDLE.flat(), timeout: 900 }],
    max_concurrent: 1,
  });
  for (let count = 0; count < 3; count++) await box.start("shell", "true");
  await box.ok("run", "--all");
  const ids = box.tasks().map(({ taskId }) => taskId);
  for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
  await receiver.until((all) => all.length >= 1);
  assertEquals(receiver.messages.length, 1);
  assert(owed(box, "chat").length >= 5);
});

Deno.test("run --wait does not wait for a receiver that hangs", async () => {
  await using receiver = receive(() => new Promise(() => {}));
  await using box = await makeBox();
  box.config({ webhooks: [{ url: receiver.url, name: "chat", on: ["launched", "complete"] }] });
  await box.start("shell", waitingFor("go"));
  await using live = box.live({}, "run", "--all", "--wait");
  await receiver.until((all) => all.length > 0);
  Deno.writeTextFileSync(`${box.root}/go`, "");
  assertEquals((await live.ended()).code, 0);
});

Deno.test(
  "while run --wait waits for a hook it watches, says so, and can be left",
  async () => {
    await using box = await makeBox();
    const run = lineCommand(`echo "$ORCHESTRA_EVENT_TASK" >>runs; ${waitingFor("end")}`);
    box.config({ hooks: [{ name: "bell", on: ["launched"], run, timeout: 900 }] });
    const runs = () => {
      try {
        return Deno.readTextFileSync(`${box.root}/runs`).trimEnd().split("\n");
      } catch {
        return [];
      }
    };
    const id = await box.start("shell", waitingFor("go"));
    await using live = box.live({}, "run", "--all", "--wait");
    await box.until("the hook", () => runs().length > 0);
    Deno.writeTextFileSync(`${box.root}/go`, "");
    await box.until("the word", () => /settled; waits .*: bell \(/.test(live.stderr()));
    // Whoever looks sees that somebody watches, and whom it watches over.
    assertMatch(await box.ok("daemon", "status"), /run --wait/);
    const later = await box.start("shell", "true");
    await box.until("its end", () => live.stderr().includes(`✓ ${later}`));
    assertEquals(runs(), [id]);
    live.kill("SIGINT");
    const { code, stdout } = await live.ended();
    assertEquals(code, 130);
    assertStringIncludes(stdout, "2 complete");
    // It was ended with us, and is run again by whoever goes on.
    await box.until("the hook", () => runs().length > 1);
    Deno.writeTextFileSync(`${box.root}/end`, "");
    await box.unwatched();
    assertEquals(runs(), [id, id, later]);
  },
);

Deno.test("410 disables a webhook, which is said, and it is told again once it is enabled", async () => {
  let gone = true;
  await using receiver = receive(() => new Response(null, { status: gone ? 410 : 200 }));
  await using box = await makeBox();
  box.config({ webhooks: [{ url: receiver.url, name: "chat", on: ["complete"] }] });
  await box.start("shell", "true");
  await box.ok("run");
  await box.until("the end", () => textOf(box, "outbox/chat/disabled.json") !== "");
  await box.unwatched();
  const [chat] = (await box.json("webhooks", "list")).subscribers;
  assertEquals([chat.state, chat.owed, chat.next], ["disabled", 1, null]);
  const list = await box.ok("webhooks", "list");
  assertMatch(list, /^chat +off +1 /m);
  assertMatch(
    list,
    /^chat: .*answered 410; since [\d:]+; waits for: orchestra webhooks\n? +enable/m,
  );
  const replayed = await box.run("webhooks", "replay", receiver.messages[0]!.data.task);
  assertMatch(replayed.stdout, /^chat is told again of \S+ once it is enabled$/m);
  assertStringIncludes(replayed.stderr, "orchestra webhooks enable chat");
  assertStringIncludes(await box.ok("doctor"), "chat is not told of what happens");
  assertEquals(box.supervisors(), []);
  gone = false;
  assertEquals(
    (await box.ok("webhooks", "enable", "chat")).trim(),
    "chat is on again; 1 message that is owed to it will be told now",
  );
  await receiver.until((all) => all.length === 2);
  await box.unwatched();
  assertEquals((await box.json("webhooks", "list")).subscribers[0].state, "ok");
});

Deno.test("a secret that is missing keeps a message back, which is said, until it is there", async () => {
  await using receiver = receive();
  await using box = await makeBox();
  const secret = `${box.root}/secret`;
  box.config({
    webhooks: [{ url: receiver.url, name: "chat", on: ["complete"], secretFile: "secret" }],
  });
  const id = await box.start("shell", "true");
  await box.ok("run");
  await box.until("an attempt", () => textOf(box, "outbox/chat/log.jsonl") !== "");
  assertEquals(receiver.messages.length, 0);
  const list = await box.ok("webhooks", "list");
  assertMatch(list, /^chat +no secret +1 /m);
  assertMatch(
    list,
    /^chat: the file of its secret is not there: secret; since .*; (?:tried again in|due now)/m,
  );
  const { next } = (await box.json("webhooks")).subscribers[0];
  assert(Date.parse(next) > Date.now() - 60_000, next);
  assertStringIncludes(await box.ok("doctor"), "the file of its secret is not there: secret");
  Deno.writeTextFileSync(secret, "a secret");
  await receiver.until((all) => all.length === 1);
  assertEquals(keyOf(receiver.messages[0]!), `${id}.1.complete`);
  assertMatch(receiver.messages[0]!.headers.get("webhook-signature")!, /^v1,/);
});

Deno.test(
  "a hook on what a short command does is run though the command does not wait",
  async () => {
    await using box = await makeBox();
    box.config({
      hooks: [{ on: ["queued", "cancelled"], run: lineCommand("echo $ORCHESTRA_EVENT >>told") }],
    });
    const told = () => {
      try {
        return Deno.readTextFileSync(`${box.root}/told`);
      } catch {
        return "";
      }
    };
    const id = await box.start("shell", "true");
    await box.until("the hook", () => told() === "queued\n");
    await box.unwatched();
    await box.ok("cancel", id);
    await box.until("the hook", () => told() === "queued\ncancelled\n");
    await box.unwatched();
    assertEquals(box.task(id).status, "cancelled");
  },
);

Deno.test("where nobody is told nothing is made, and no supervisor is left", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  await box.ok("cancel", id);
  await box.ok("status");
  assertEquals(box.supervisors(), []);
  assert(![...Deno.readDirSync(box.path(""))].some(({ name }) => name === "outbox"));
  box.config({ webhooks: [{ url: "http://127.0.0.1:9/", on: ["failed"] }] });
  await box.start("shell", "true");
  await box.ok("status");
  assertEquals(box.supervisors(), []);
  assertEquals((await box.json("webhooks")).subscribers[0].owed, 0);
});

Deno.test("run --wait that may leave no supervisor waits for what it owes", async () => {
  await using receiver = receive();
  await using box = await makeBox();
  box.config({ webhooks: [{ url: receiver.url }], supervise: false });
  const id = await box.start("shell", "true");
  await box.ok("run", "--wait");
  assertEquals(receiver.messages.map(keyOf), [`${id}.1.complete`, `drained.${id}.1.complete`]);
  assertEquals(box.supervisors(), []);
});

Deno.test("a subscriber that is none any more leaves nothing behind after a week", async () => {
  await using receiver = receive();
  await using box = await makeBox();
  box.config({
    webhooks: [{ url: receiver.url, name: "one" }, { url: receiver.url, name: "two" }],
  });
  await box.start("shell", "true");
  await box.ok("run", "--wait");
  await receiver.until((all) => all.length === 4);
  await box.unwatched();
  box.config({ webhooks: [{ url: receiver.url, name: "two" }] });
  const left = async (told: number) => {
    await box.start("shell", "true");
    await box.ok("run", "--wait");
    await receiver.until((all) => all.length === told);
    await box.unwatched();
    return [...Deno.readDirSync(box.path("outbox"))].map(({ name }) => name).sort();
  };
  assertEquals(await left(6), ["one", "two"]);
  const old = new Date(Date.now() - 8 * 86_400_000);
  for (const name of ["state.json", ""]) Deno.utimeSync(box.path(`outbox/one/${name}`), old, old);
  assertEquals(await left(8), ["two"]);
});

Deno.test("a test tells at once, and says what came of it", async () => {
  await using receiver = receive((_, number) =>
    number === 0 ? new Response() : new Response("no such channel", { status: 404 })
  );
  await using box = await makeBox();
  box.config({
    webhooks: [{ url: receiver.url, name: "chat" }],
    hooks: [{ on: ["complete"], run: ["no-such-program"], name: "bell" }],
  });
  assertMatch(await box.ok("webhooks", "test", "chat"), /^chat: works: answered 200/);
  assertEquals(receiver.messages[0]!.data.title, "This is a test of Orchestra");
  const failed = await box.run("webhooks", "test", "chat");
  assertEquals(failed.code, 1);
  assertStringIncludes(failed.stdout, "does not work: answered 404: no such channel");
  const bell = await box.run("--json", "webhooks", "test", "bell");
  assertEquals(bell.code, 1);
  assertEquals(JSON.parse(bell.stdout).ok, false);
  const { message } = await box.fails(2, "webhooks", "test", "chta");
  assertStringIncludes(message, '"chta"');
});

Deno.test(
  "a daemon tells too, and what is given up is told once more on request",
  async () => {
    await using receiver = receive();
    await using box = await makeBox();
    box.config({ webhooks: [{ url: receiver.url, name: "chat", on: ["complete"] }] });
    await box.ok("daemon", "start");
    const id = await box.start("shell", "true");
    await receiver.until((all) => all.length === 1);
    await box.ok("daemon", "stop");
    const key = `${id}.1.complete`;
    const dead = box.path(`outbox/chat/dead/${key}.json`);
    Deno.mkdirSync(box.path("outbox/chat/dead"));
    const event = { ...receiver.messages[0]!.data, title: "given up" };
    Deno.writeTextFileSync(dead, JSON.stringify({ event, cursor: "1.1", attempts: 10 }));
    assertMatch(await box.ok("webhooks", "list"), /^chat +ok .*\n\nchat: 1 given up$/m);
    await box.ok("webhooks", "replay", key);
    const again = await receiver.until((all) => all.length === 2 && all[1]);
    assertEquals([keyOf(again), again.data.title], [key, "given up"]);
    await box.unwatched();
    assertMatch(await box.ok("webhooks", "list"), /^chat +ok [^\n]*\n*$/m);
  },
);

Deno.test("what was told is told again on request, by event and by task", async () => {
  await using receiver = receive();
  await using box = await makeBox();
  box.config({ webhooks: [{ url: receiver.url, name: "chat", on: ["launched", "complete"] }] });
  const id = await box.start("shell", "true");
  await box.ok("run", "--wait");
  await receiver.until((all) => all.length === 2);
  await box.unwatched();
  await box.ok("webhooks", "replay", `${id}.1.complete`);
  await receiver.until((all) => all.length === 3);
  await box.unwatched();
  assertEquals(receiver.messages[2]!.body, receiver.messages[1]!.body);
  await box.ok("webhooks", "replay", id.slice(-5), "--to", "chat");
  await receiver.until((all) => all.length === 5);
  await box.unwatched();
  assertEquals(receiver.messages.slice(3).map(keyOf), [`${id}.1.launched`, `${id}.1.complete`]);
  const log: { event: string; attempt: number }[] = await box.json("webhooks", "log");
  const attempts = log.filter(({ event }) => event === "complete").map(({ attempt }) => attempt);
  assertEquals(attempts, [1, 2, 3]);
  await box.fails(4, "webhooks", "replay", "no.such.key");
  box.config({
    webhooks: [{ url: receiver.url, name: "chat", on: ["complete"] }],
    hooks: [{ on: ["failed"], run: ["true"], name: "bell" }],
  });
  const { message } = await box.fails(4, "webhooks", "replay", id, "--to", "bell");
  assertStringIncludes(message, "nothing that bell wants");
  assertMatch(await box.ok("webhooks", "enable", "bell"), /^bell is never switched off/);
});

Deno.test(
  "what came with a repository counts only while it is the text that was approved",
  async () => {
    await using receiver = receive();
    await using box = await makeBox();
    await using home = await makeFolder();
    const env = { XDG_CONFIG_HOME: home.path };
    const file = `${box.root}/.orchestra-cli/config.json`;
    const run = lineCommand("echo x >>hooked");
    const commit = (more: Record<string, unknown> = {}) =>
      Deno.writeTextFileSync(
        file,
        JSON.stringify({
          max_concurrent: 1,
          hooks: [{ on: ["complete"], run }],
          webhooks: [{ url: receiver.url, name: "team", on: ["complete"] }],
          ...more,
        }),
      );
    const work = async () => {
      const { stdout } = await box.runWith({ env }, "start", "--quiet", "shell", "true");
      await box.runWith({ env }, "run", "--wait");
      await box.unwatched();
      return stdout.trim();
    };
    const list = async () => JSON.parse((await box.runWith({ env }, "--json", "webhooks")).stdout);
    commit();
    await work();
    assertEquals(receiver.messages.length, 0);
    const before = await list();
    assertEquals(
      before.subscribers.map(({ state }: { state: string }) => state),
      ["not-approved", "not-approved"],
    );
    const doctor = await box.runWith({ env }, "doctor");
    assertMatch(doctor.stdout, /not approved[^]*orchestra trust --commands/);
    const unasked = await box.runWith({ env }, "trust");
    assertEquals(unasked.code, 4);
    assertStringIncludes(unasked.stderr, `runs   ${quote(run)}`);
    assertMatch(unasked.stderr, /runs {3}[^]*tells {2}http:\/\/127/);
    await work();
    assertEquals(receiver.messages.length, 0);
    assertEquals((await box.runWith({ env }, "trust", "--commands", "--yes")).code, 0);
    const id = await work();
    await receiver.until((all) => all.length === 1);
    assertEquals(keyOf(receiver.messages[0]!), `${id}.1.complete`);
    await box.until("the hook", () => {
      try {
        return Deno.readTextFileSync(`${box.root}/hooked`) === "x\n";
      } catch {
        return false;
      }
    });
    commit({ hooks: [{ on: ["complete"], run: lineCommand("echo evil >>hooked") }] });
    const meanwhile = await work();
    assertEquals((await list()).subscribers[0].state, "not-approved");
    assertEquals(receiver.messages.length, 1);
    assertEquals(Deno.readTextFileSync(`${box.root}/hooked`), "x\n");
    // Back to what was approved, it counts again, and tells what happened meanwhile; taken back, it does not.
    commit();
    assertEquals((await list()).subscribers[0].state, "ok");
    const last = await work();
    await receiver.until((all) => all.length === 3);
    assertEquals(receiver.messages.slice(1).map(keyOf), [
      `${meanwhile}.1.complete`,
      `${last}.1.complete`,
    ]);
    assertEquals((await box.runWith({ env }, "trust", "--commands", "--remove")).code, 0);
    assertEquals((await list()).subscribers[0].state, "not-approved");
  },
);

Deno.test("the user's own settings hold for all workspaces, and what is wrong in them is said", async () => {
  await using receiver = receive();
  await using box = await makeBox();
  await using home = await makeFolder();
  const env = { XDG_CONFIG_HOME: home.path };
  Deno.mkdirSync(`${home.path}/orchestra`);
  const write = (value: unknown) =>
    Deno.writeTextFileSync(`${home.path}/orchestra/settings.json`, JSON.stringify(value));
  write({ safe: [], webhooks: [{ url: receiver.url, name: "mine", on: ["complete"] }] });
  await box.start("shell", "true");
  await box.runWith({ env }, "run", "--wait");
  await receiver.until((all) => all.length === 1);
  write({ webhooks: [{ url: "file:///x" }], hooks: [{ on: ["complete"], run: ["true"] }] });
  const { subscribers, problems } = JSON.parse(
    (await box.runWith({ env }, "--json", "webhooks")).stdout,
  );
  assertEquals(subscribers.length, 1);
  assertMatch(subscribers[0].name, /^true-[0-9a-z]{4}$/);
  assertMatch(problems[0], /"webhooks.0.url" must be an http or https address/);
});

Deno.test("no command prints what is secret of an address", async () => {
  await using receiver = receive(() => new Response(null, { status: 400 }));
  await using box = await makeBox();
  const url = receiver.url.replace("http://", "http://user:secret-word@");
  box.config({
    webhooks: [{ url, name: "chat" }, { url: "http://127.0.0.1:1/secret-path", name: "dead" }],
    otlp: { endpoint: "http://me:secret-word@127.0.0.1:1/" },
  });
  const id = await box.start("shell", "true");
  await box.ok("run");
  await box.until(
    "attempts",
    () => ["chat", "dead", "otlp"].every((name) => textOf(box, `outbox/${name}/log.jsonl`) !== ""),
  );
  const printed: string[] = [];
  for (
    const line of [
      ...["webhooks list", "webhooks log", "webhooks test chat", "webhooks test dead", "doctor"],
      ...["config show", `webhooks replay ${id}`, "config set priority 3", "trust --commands"],
    ]
  ) {
    for (const json of [[], ["--json"], ["--debug"]]) {
      const { stdout, stderr } = await box.run(...json, ...line.split(" "));
      printed.push(stdout, stderr);
    }
  }
  printed.push(textOf(box, "outbox/chat/log.jsonl"), textOf(box, "outbox/dead/state.json"));
  for (const text of printed) assert(!/secret-(?:path|key|word)/.test(text), text);
});

Deno.test("traces are sent as OTLP/HTTP JSON when an attempt settles", async () => {
  await using receiver = receive();
  await using box = await makeBox();
  // As people copy it, with the path that belongs below the endpoint.
  box.config({ otlp: { endpoint: `${new URL(receiver.url).origin}/v1/traces` } });
  await box.start("shell", "exit 1");
  const env = { OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b,bad name=1,=,x-other=2" };
  assertEquals((await box.runWith({ env }, "run")).code, 0);
  const [{ path, headers, body }] = await receiver.until((all) =>
    all.length === 1 && all as [Message]
  );
  await box.unwatched();
  assertEquals([path, headers.get("content-type")], ["/v1/traces", "application/json"]);
  assertEquals([headers.get("x-key"), headers.get("x-other")], ["a b", "2"]);
  const { resourceSpans: [{ scopeSpans: [{ spans }] }] } = JSON.parse(body);
  assert(
    spans.length >= 1 &&
      spans.every((span: { traceId: string }) => /^[0-9a-f]{32}$/.test(span.traceId)),
  );
});

Deno.test("a variable that only whoever watches has is missing to nobody", async () => {
  let status = 200;
  await using receiver = receive(() => new Response(null, { status }));
  await using box = await makeBox();
  box.config({
    webhooks: [{ url: receiver.url, name: "chat", on: ["complete"], secretEnv: "CHAT_SECRET" }],
  });
  const env = { CHAT_SECRET: "a secret" };
  const stateOf = async () => {
    const [{ state, problem }] = (await box.json("webhooks")).subscribers;
    return [state, problem];
  };
  const notHere = "CHAT_SECRET is not set in this shell; whoever watches needs it";
  assertEquals(await stateOf(), ["secret-missing", notHere]);
  await box.runWith({ env }, "start", "--quiet", "shell", "true");
  await box.runWith({ env }, "run");
  await receiver.until((all) => all.length === 1);
  await box.unwatched();
  assertEquals(await stateOf(), ["ok", null]);
  // The next one watches without it.
  status = 500;
  await box.start("shell", "true");
  await box.ok("run");
  await box.until("an attempt", () => textOf(box, "outbox/chat/log.jsonl").includes("missing"));
  await box.until("its state", () => textOf(box, "outbox/chat/state.json").includes("missing"));
  assertEquals(await stateOf(), ["secret-missing", notHere]);
  const { stdout } = await box.runWith({ env }, "webhooks");
  assertMatch(stdout, /^chat: CHAT_SECRET is not set for whoever watches, though it is here;/m);
});

Deno.test("the log of attempts is whole without the variable that names the receiver", async () => {
  await using receiver = receive();
  await using box = await makeBox();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: new URL(receiver.url).origin };
  const id = await box.start("shell", "true");
  assertEquals((await box.runWith({ env }, "run", "--wait")).code, 0);
  await receiver.until((all) => all.length === 1);
  await box.unwatched();
  for (const args of [[], ["otlp"]]) {
    const [attempt] = await box.json("webhooks", "log", ...args);
    assertEquals([attempt.name, attempt.id], ["otlp", `${id}.1.complete`]);
  }
});

test(
  "under the narrow permissions a webhook is delivered, and nothing committed counts",
  NARROW,
  async () => {
    await using receiver = receive();
    await using box = await makeBox();
    box.config({
      webhooks: [{ url: receiver.url, name: "chat", on: ["complete"], secretEnv: "CHAT_SECRET" }],
      hooks: [{ on: ["complete"], run: ["sh", "-c", "touch hooked"] }],
    });
    Deno.writeTextFileSync(
      `${box.root}/.orchestra-cli/config.json`,
      JSON.stringify({ webhooks: [{ url: receiver.url, name: "team" }] }),
    );
    const env = { CHAT_SECRET: "a secret" };
    const narrow = (...args: string[]) => {
      const command = ["run", "--quiet", ...permissionFlags(), MAIN, ...args];
      return spawn(Deno.execPath(), command, { cwd: box.root, env }).ended();
    };
    const started = await narrow("start", "--quiet", "shell", "true");
    assertEquals(started.code, 0, started.stderr);
    const ran = await narrow("run");
    assertEquals(ran.code, 0, ran.stderr);
    const [message] = await receiver.until((all) => all.length === 1 && all as [Message]);
    assertMatch(message.headers.get("webhook-signature")!, /^v1,/);
    await box.until(
      "the hook",
      () => [...Deno.readDirSync(box.root)].some(({ name }) => name === "hooked"),
    );
    const list = await narrow("webhooks", "list");
    assertEquals(list.code, 0, list.stderr);
    assertMatch(list.stdout, /^team +not approved /m);
    assertMatch(list.stderr, /cannot be told with these permissions/);
    const tested = await narrow("webhooks", "test", "chat");
    assertEquals(tested.code, 0, tested.stdout + tested.stderr);
    await box.unwatched();
  },
);

test("a hook that somebody kills is run again, one that fails is not", KILLED, async () => {
  await using box = await makeBox();
  const killed = 'echo killed >>runs; [ "$(grep -c killed runs)" = 2 ] || kill -9 $$';
  box.config({
    hooks: [
      { on: ["complete"], run: ["sh", "-c", killed] },
      { on: ["complete"], run: ["sh", "-c", "echo failed >>runs; exit 1"] },
      { on: ["complete"], run: ["sh", "-c", "echo hopeless >>runs; kill -9 $$"] },
    ],
  });
  await box.start("shell", "true");
  await box.ok("run");
  await box.unwatched();
  const runs = Deno.readTextFileSync(`${box.root}/runs`).trimEnd().split("\n").toSorted();
  const { failed, killed: twice, hopeless } = Object.groupBy(runs, (line) => line);
  assertEquals([failed, twice, hopeless].map((lines) => lines?.length), [1, 2, 3]);
});

Deno.test(
  "run --wait lets a hook that runs come to its end, and nobody runs it again",
  async () => {
    await using box = await makeBox();
    const run = lineCommand("echo begun >>runs; sleep 4; echo ended >>runs");
    box.config({ hooks: [{ on: ["complete"], run }] });
    await box.start("shell", "true");
    await box.ok("run", "--all", "--wait");
    await box.unwatched();
    assertEquals(Deno.readTextFileSync(`${box.root}/runs`), "begun\nended\n");
  },
);

Deno.test("slow receivers and hooks hold up nobody else", async () => {
  await using slow = receive(() => new Promise(() => {}));
  await using receiver = receive();
  await using box = await makeBox();
  const on = ["complete"];
  box.config({
    hooks: [1, 2, 3].map((number) => ({
      name: `hook-${number}`,
      on,
      run: IDLE.flat(),
      timeout: 20,
    })),
    webhooks: [
      ...[1, 2, 3].map((number) => ({ name: `slow-${number}`, url: slow.url, on })),
      { name: "good", url: receiver.url, on },
    ],
  });
  await box.start("shell", "true");
  await box.ok("run");
  await receiver.until((all) => all.length > 0);
  // The others have not come to an end.
  for (const name of ["hook-1", "slow-1"]) assertEquals(owed(box, name).length, 1);
});

Deno.test(
  "settings that are not there for a moment, or are touched, cost nothing that is owed",
  async () => {
    let isUp = false;
    await using receiver = receive(() => new Response(null, { status: isUp ? 204 : 500 }));
    await using box = await makeBox();
    const webhooks = [{ url: receiver.url, name: "chat", on: ["complete"] }];
    box.config({ webhooks, supervise: false });
    const id = await box.start("shell", "true");
    await box.ok("run");
    // Nobody is left who watches: a look settles it.
    while (box.task(id).status !== "complete") await box.ok("status");
    // It was wanted when it happened, whenever the file was written last.
    box.config({ webhooks, max_concurrent: 2 });
    Deno.utimeSync(box.path("config.json"), new Date(), new Date(Date.now() + 60_000));
    await box.ok("status");
    await receiver.until((all) => all.length > 0);
    const config = Deno.readTextFileSync(box.path("config.json"));
    Deno.removeSync(box.path("config.json"));
    await box.start("shell", "true");
    await box.ok("run", "--wait");
    await box.unwatched();
    Deno.writeTextFileSync(box.path("config.json"), config);
    isUp = true;
    await box.ok("webhooks", "enable", "chat");
    const keys = await receiver.until((all) => {
      const found = new Set(all.map(keyOf));
      return found.size === 2 && found;
    });
    assert(keys.has(`${id}.1.complete`));
    await box.unwatched();
  },
);

Deno.test(
  "a webhook that has no name keeps what it is owed, and gets nothing of another's",
  async () => {
    await using first = receive(() => new Response(null, { status: 500 }));
    await using second = receive(() => new Response(null, { status: 500 }));
    await using box = await makeBox();
    const all = [{ url: first.url, on: ["complete"] }, { url: second.url, on: ["failed"] }];
    box.config({ webhooks: all });
    for (const word of ["true", "exit 3"]) await box.start("shell", word);
    await box.ok("run", "--all");
    await first.until((messages) => messages.length > 0);
    await second.until((messages) => messages.length > 0);
    box.config({ webhooks: all.slice(1) });
    const { subscribers } = await box.json("webhooks", "list");
    await box.ok("webhooks", "enable", subscribers[0].name);
    await second.until((messages) => messages.length > 1);
    // The first may be tried once more before it is seen that nobody names it.
    const eventsAt = ({ messages }: typeof first) =>
      new Set(messages.map(({ data }) => data.event));
    assertEquals([eventsAt(first), eventsAt(second)], [new Set(["complete"]), new Set(["failed"])]);
  },
);

Deno.test("a hook that ends whoever watches is not run for ever", async () => {
  await using box = await makeBox();
  // Without another shell between them.
  const script = 'Deno.writeTextFileSync("runs", "run\\n", { append: true }); ' +
    'Deno.kill(Deno.ppid, "SIGKILL")';
  const run = SHELL === null
    ? ["sh", "-c", "echo run >>runs; kill -9 $PPID"]
    : [Deno.execPath(), "eval", "--no-config", script];
  box.config({ hooks: [{ name: "killer", on: ["complete"], run }] });
  await box.start("shell", "true");
  await box.ok("run");
  for (let turn = 0; turn < 15; turn++) {
    await box.unwatched();
    await box.ok("status");
  }
  await box.unwatched();
  assertEquals(owed(box, "killer"), []);
  const runs = Deno.readTextFileSync(`${box.root}/runs`).trimEnd().split("\n").length;
  assert(runs >= 1 && runs <= 10, `${runs} runs`);
});
