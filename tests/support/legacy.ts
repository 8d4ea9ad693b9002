// A workspace that the ancestor made: pending, complete, failed, cancelled, retried (one task twice)
// and blocked tasks, with naive local times and no newline at the end of a task file. Kept as data,
// byte for byte, so that nothing mends it by accident.

const FILES: Readonly<Record<string, string>> = {
  ".orchestra/logs/task_1795331564659.log":
    `working on Your Task ID is task_1795331564659. Task: first task. Signal completion by creating .orchestra/tasks/task_1795331564659.done
`,
  ".orchestra/logs/task_1795331564972.log": `failing
`,
  ".orchestra/logs/task_1795331565283.log": `crashing
`,
  ".orchestra/logs/task_1795331565689.log": "",
  ".orchestra/logs/task_1795331571115.log": `failing
`,
  ".orchestra/logs/task_1795331625032.log":
    `working on Your Task ID is task_1795331625032. Task: sixth: after the first. Signal completion by creating .orchestra/tasks/task_1795331625032.done
`,
  ".orchestra/plans/task_1795331564659_plan.md": `# Task: task_1795331564659

## Prompt
first task
`,
  ".orchestra/plans/task_1795331564972_plan.md": `# Task: task_1795331564972

## Prompt
second: this fails
`,
  ".orchestra/plans/task_1795331565283_plan.md": `# Task: task_1795331565283

## Prompt
third crashes
`,
  ".orchestra/plans/task_1795331565689_plan.md": `# Task: task_1795331565689

## Prompt
fourth runs long
`,
  ".orchestra/plans/task_1795331566029_plan.md": `# Task: task_1795331566029

## Prompt
fifth waits
`,
  ".orchestra/plans/task_1795331571115_plan.md": `# Retry Attempt 1/2

**Original Task:** task_1795331564972
**Previous Error:** boom

## Task Prompt
second: this fails

## Retry Strategy
This is retry attempt 1 of 2.
Auto-retry: enabled
`,
  ".orchestra/plans/task_1795331625032_plan.md": `# Task: task_1795331625032

## Prompt
sixth: after the first

## Dependencies
- task_1795331564659
`,
  ".orchestra/plans/task_1795331625407_plan.md": `# Task: task_1795331625407

## Prompt
seventh: after the failed one

## Dependencies
- task_1795331564972
`,
  ".orchestra/plans/task_1795331627156_plan.md": `# Retry Attempt 1/2

**Original Task:** task_1795331564972
**Previous Error:** boom

## Task Prompt
second: this fails

## Retry Strategy
This is retry attempt 1 of 2.
Auto-retry: enabled
`,
  ".orchestra/tasks/task_1795331564659.json": `{
  "taskId": "task_1795331564659",
  "status": "complete",
  "agent": "ok",
  "prompt": "first task",
  "planFile": ".orchestra/plans/task_1795331564659_plan.md",
  "logFile": ".orchestra/logs/task_1795331564659.log",
  "createdAt": "2026-11-22T07:12:44.659086",
  "startedAt": "2026-11-22T07:12:46.393679",
  "completedAt": "2026-11-22T07:12:47.783932",
  "timedOutAt": null,
  "retriedAt": null,
  "pid": 29626,
  "errorMessage": null,
  "retryCount": 0,
  "maxRetries": 3,
  "autoRetry": false,
  "retryHistory": [],
  "parentTaskId": null,
  "retriedBy": null,
  "priority": 5,
  "timeout": null,
  "timeoutWarning": null,
  "dependsOn": [],
  "blockedBy": null,
  "blockedReason": null
}`,
  ".orchestra/tasks/task_1795331564972.json": `{
  "taskId": "task_1795331564972",
  "status": "failed",
  "agent": "bad",
  "prompt": "second: this fails",
  "planFile": ".orchestra/plans/task_1795331564972_plan.md",
  "logFile": ".orchestra/logs/task_1795331564972.log",
  "createdAt": "2026-11-22T07:12:44.972029",
  "startedAt": "2026-11-22T07:12:46.400028",
  "completedAt": "2026-11-22T07:12:47.785934",
  "timedOutAt": null,
  "retriedAt": "2026-11-22T07:13:47.157183",
  "pid": 29629,
  "errorMessage": "boom",
  "retryCount": 0,
  "maxRetries": 2,
  "autoRetry": true,
  "retryHistory": [],
  "parentTaskId": null,
  "retriedBy": "task_1795331627156",
  "priority": 5,
  "timeout": null,
  "timeoutWarning": null,
  "dependsOn": [],
  "blockedBy": null,
  "blockedReason": null
}`,
  ".orchestra/tasks/task_1795331565283.json": `{
  "taskId": "task_1795331565283",
  "status": "failed",
  "agent": "crash",
  "prompt": "third crashes",
  "planFile": ".orchestra/plans/task_1795331565283_plan.md",
  "logFile": ".orchestra/logs/task_1795331565283.log",
  "createdAt": "2026-11-22T07:12:45.283606",
  "startedAt": "2026-11-22T07:12:46.405849",
  "completedAt": "2026-11-22T07:12:47.786817",
  "timedOutAt": null,
  "retriedAt": null,
  "pid": 29631,
  "errorMessage": "Process exited with code 7",
  "retryCount": 0,
  "maxRetries": 3,
  "autoRetry": false,
  "retryHistory": [],
  "parentTaskId": null,
  "retriedBy": null,
  "priority": 5,
  "timeout": null,
  "timeoutWarning": null,
  "dependsOn": [],
  "blockedBy": null,
  "blockedReason": null
}`,
  ".orchestra/tasks/task_1795331565689.cancelled": "",
  ".orchestra/tasks/task_1795331565689.json": `{
  "taskId": "task_1795331565689",
  "status": "cancelled",
  "agent": "slow",
  "prompt": "fourth runs long",
  "planFile": ".orchestra/plans/task_1795331565689_plan.md",
  "logFile": ".orchestra/logs/task_1795331565689.log",
  "createdAt": "2026-11-22T07:12:45.689846",
  "startedAt": "2026-11-22T07:12:46.386752",
  "completedAt": "2026-11-22T07:12:54.469484",
  "timedOutAt": null,
  "retriedAt": null,
  "pid": 29623,
  "errorMessage": null,
  "retryCount": 0,
  "maxRetries": 3,
  "autoRetry": false,
  "retryHistory": [],
  "parentTaskId": null,
  "retriedBy": null,
  "priority": 9,
  "timeout": 300,
  "timeoutWarning": 60,
  "dependsOn": [],
  "blockedBy": null,
  "blockedReason": null
}`,
  ".orchestra/tasks/task_1795331566029.json": `{
  "taskId": "task_1795331566029",
  "status": "pending",
  "agent": "ok",
  "prompt": "fifth waits",
  "planFile": ".orchestra/plans/task_1795331566029_plan.md",
  "logFile": ".orchestra/logs/task_1795331566029.log",
  "createdAt": "2026-11-22T07:12:46.029913",
  "startedAt": null,
  "completedAt": null,
  "timedOutAt": null,
  "retriedAt": null,
  "pid": null,
  "errorMessage": null,
  "retryCount": 0,
  "maxRetries": 3,
  "autoRetry": false,
  "retryHistory": [],
  "parentTaskId": null,
  "retriedBy": null,
  "priority": 1,
  "timeout": null,
  "timeoutWarning": null,
  "dependsOn": [],
  "blockedBy": null,
  "blockedReason": null
}`,
  ".orchestra/tasks/task_1795331571115.json": `{
  "taskId": "task_1795331571115",
  "status": "failed",
  "agent": "bad",
  "prompt": "second: this fails",
  "planFile": ".orchestra/plans/task_1795331571115_plan.md",
  "logFile": ".orchestra/logs/task_1795331571115.log",
  "createdAt": "2026-11-22T07:12:51.115230",
  "startedAt": "2026-11-22T07:13:45.766165",
  "completedAt": "2026-11-22T07:13:47.154341",
  "timedOutAt": null,
  "retriedAt": null,
  "pid": 30627,
  "errorMessage": "boom",
  "retryCount": 1,
  "maxRetries": 2,
  "autoRetry": true,
  "retryHistory": [
    {
      "attempt": 1,
      "timestamp": "2026-11-22T07:12:51.115186",
      "error": "boom",
      "retriedFrom": "task_1795331564972"
    }
  ],
  "parentTaskId": "task_1795331564972",
  "retriedBy": null,
  "priority": 5,
  "timeout": null,
  "timeoutWarning": null,
  "dependsOn": [],
  "blockedBy": null,
  "blockedReason": null
}`,
  ".orchestra/tasks/task_1795331625032.json": `{
  "taskId": "task_1795331625032",
  "status": "complete",
  "agent": "ok",
  "prompt": "sixth: after the first",
  "planFile": ".orchestra/plans/task_1795331625032_plan.md",
  "logFile": ".orchestra/logs/task_1795331625032.log",
  "createdAt": "2026-11-22T07:13:45.032616",
  "startedAt": "2026-11-22T07:13:45.768924",
  "completedAt": "2026-11-22T07:13:47.155292",
  "timedOutAt": null,
  "retriedAt": null,
  "pid": 30629,
  "errorMessage": null,
  "retryCount": 0,
  "maxRetries": 3,
  "autoRetry": false,
  "retryHistory": [],
  "parentTaskId": null,
  "retriedBy": null,
  "priority": 5,
  "timeout": null,
  "timeoutWarning": null,
  "dependsOn": [
    "task_1795331564659"
  ],
  "blockedBy": null,
  "blockedReason": null
}`,
  ".orchestra/tasks/task_1795331625407.json": `{
  "taskId": "task_1795331625407",
  "status": "pending",
  "agent": "ok",
  "prompt": "seventh: after the failed one",
  "planFile": ".orchestra/plans/task_1795331625407_plan.md",
  "logFile": ".orchestra/logs/task_1795331625407.log",
  "createdAt": "2026-11-22T07:13:45.407349",
  "startedAt": null,
  "completedAt": null,
  "timedOutAt": null,
  "retriedAt": null,
  "pid": null,
  "errorMessage": null,
  "retryCount": 0,
  "maxRetries": 3,
  "autoRetry": false,
  "retryHistory": [],
  "parentTaskId": null,
  "retriedBy": null,
  "priority": 5,
  "timeout": null,
  "timeoutWarning": null,
  "dependsOn": [
    "task_1795331564972"
  ],
  "blockedBy": "task_1795331564972",
  "blockedReason": "Dependency task_1795331564972 failed"
}`,
  ".orchestra/tasks/task_1795331627156.json": `{
  "taskId": "task_1795331627156",
  "status": "pending",
  "agent": "bad",
  "prompt": "second: this fails",
  "planFile": ".orchestra/plans/task_1795331627156_plan.md",
  "logFile": ".orchestra/logs/task_1795331627156.log",
  "createdAt": "2026-11-22T07:13:47.156744",
  "startedAt": null,
  "completedAt": null,
  "timedOutAt": null,
  "retriedAt": null,
  "pid": null,
  "errorMessage": null,
  "retryCount": 1,
  "maxRetries": 2,
  "autoRetry": true,
  "retryHistory": [
    {
      "attempt": 1,
      "timestamp": "2026-11-22T07:13:47.156702",
      "error": "boom",
      "retriedFrom": "task_1795331564972"
    }
  ],
  "parentTaskId": "task_1795331564972",
  "retriedBy": null,
  "priority": 5,
  "timeout": null,
  "timeoutWarning": null,
  "dependsOn": [],
  "blockedBy": null,
  "blockedReason": null
}`,
  ".orchestra/workspace/task_1795331564659.txt": `result
`,
  ".orchestra/workspace/task_1795331625032.txt": `result
`,
  ".orchestra-cli/agent-config.json": `{"agents":{
 "ok":{"command":"sh","args":["-c","echo working on $1; sleep 0.3; echo result > .orchestra/workspace/$0.txt; touch .orchestra/tasks/$0.done","{taskId}","{prompt}"],"description":"signals .done"},
 "bad":{"command":"sh","args":["-c","echo failing; echo '{\\"error\\":\\"boom\\",\\"details\\":\\"stack\\",\\"timestamp\\":\\"2026-01-01T00:00:00Z\\"}' > .orchestra/tasks/$0.error; exit 1","{taskId}","{prompt}"]},
 "crash":{"command":"sh","args":["-c","echo crashing; exit 7"]},
 "slow":{"command":"sh","args":["-c","sleep 60"]}}}
`,
};

/** What the ancestor left of each task, by id. */
export const LEGACY_TASKS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(FILES).flatMap(([path, text]) => {
    const id = /^\.orchestra\/tasks\/(task_[0-9]+)\.json$/.exec(path)?.[1];
    return id === undefined ? [] : [[id, text]];
  }),
);

/** Ids of the workspace by what they stand for. */
export const LEGACY = {
  complete: "task_1795331564659",
  /** Retried twice, by mistake: `retriedBy` names the second retry. */
  failedAndRetried: "task_1795331564972",
  failed: "task_1795331565283",
  cancelled: "task_1795331565689",
  pending: "task_1795331566029",
  /** The retry that was forgotten: nothing names it. */
  forgottenRetry: "task_1795331571115",
  completeAfterDependency: "task_1795331625032",
  blocked: "task_1795331625407",
  pendingRetry: "task_1795331627156",
} as const;

/** Writes the workspace into an existing folder; the modes are those that the ancestor gave. */
export function writeLegacyWorkspace(root: string): void {
  for (const [path, text] of Object.entries(FILES)) {
    const target = `${root}/${path}`;
    Deno.mkdirSync(target.slice(0, target.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(target, text);
  }
}
