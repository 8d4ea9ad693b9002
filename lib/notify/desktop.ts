// The notifications of the desktop, by the program that each system has for it. Pure. What is shown comes as
// an argument or a variable, never as part of a script.

import type { Words } from "./words.ts";

/** A program with what it is given. */
export interface DesktopCommand {
  readonly run: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const OSASCRIPT = [
  "on run argv",
  "display notification (item 2 of argv) with title (item 1 of argv)",
  "end run",
];

/** A toast by the Windows Runtime, with text nodes that are given their text. */
const TOAST = [
  "$ErrorActionPreference = 'Stop'",
  "[void][Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, " +
  "ContentType = WindowsRuntime]",
  "$kind = [Windows.UI.Notifications.ToastTemplateType]::ToastText02",
  "$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent($kind)",
  "$texts = $toast.GetElementsByTagName('text')",
  "[void]$texts.Item(0).AppendChild($toast.CreateTextNode($env:ORCHESTRA_NOTIFY_TITLE))",
  "[void]$texts.Item(1).AppendChild($toast.CreateTextNode($env:ORCHESTRA_NOTIFY_TEXT))",
  "$id = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe'",
  "$notifier = [Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($id)",
  "$notifier.Show([Windows.UI.Notifications.ToastNotification]::new($toast))",
].join("; ");

/** How a system is told to show something. */
export function desktopCommand(words: Words, os: typeof Deno.build.os): DesktopCommand {
  const { title, text } = words;
  switch (os) {
    case "darwin":
      // A title begins with a word of ours: it is not taken for an option.
      return {
        run: ["osascript", ...OSASCRIPT.flatMap((line) => ["-e", line]), title, text],
        env: {},
      };
    case "windows":
      return {
        run: ["powershell.exe", "-NoProfile", "-NonInteractive", "-Command", TOAST],
        env: { ORCHESTRA_NOTIFY_TITLE: title, ORCHESTRA_NOTIFY_TEXT: text },
      };
    default:
      return {
        run: [
          "notify-send",
          "--app-name=Orchestra",
          // What is critical stays until somebody clicks it away, and a dozen may come at once.
          "--urgency=normal",
          "--",
          title,
          markup(text),
        ],
        env: {},
      };
  }
}

/** The text of a notification may hold markup, and backslashes that notify-send takes for escapes. */
function markup(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
