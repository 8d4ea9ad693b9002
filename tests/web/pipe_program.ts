// A server whose workspaces are let go of soon, met by pipes beside the tasks and in the place of one:
// prints what it said before and after. Its arguments are folders of workspaces.

import { serveHere } from "./server.ts";

const workspaces = Deno.args.map((root, index) => ({ name: `box-${index}`, root }));
await using here = await serveHere(workspaces);

async function ask(): Promise<void> {
  for (const { name } of workspaces) {
    const { tasks } = await here.get(`/workspaces/${name}/tasks`);
    console.log(name, Array.isArray(tasks));
  }
}

await ask();
for (const path of [".orchestra/x.json", ".orchestra/tasks/task_1111111111.json"]) {
  await new Deno.Command("mkfifo", { args: [`${Deno.args[0]}/${path}`] }).output();
}
// One that nobody can be let go from: it has no name any more.
if (Deno.env.get("UNNAMED")) {
  const path = `${Deno.args[0]}/.orchestra/y.json`;
  await new Deno.Command("mkfifo", { args: [path] }).output();
  await new Promise((resolve) => setTimeout(resolve, 50));
  Deno.removeSync(path);
}
// Until they are let go of.
for (let count = 0; count < 3; count++) {
  await new Promise((resolve) => setTimeout(resolve, 400));
  await ask();
}
console.log("over");
Deno.exit(0);
