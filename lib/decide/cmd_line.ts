// How cmd.exe is told what to run: it takes one line, and what is in that is a program. Pure.

/** What cmd.exe is told to run, by `/c LINE` at the end of its arguments. */
export interface CmdLine {
  /** The arguments before the line, `/c` among them. */
  readonly leading: readonly string[];
  readonly line: string;
}

/** The options that cmd.exe takes before `/c`; what is none would belong to the line. */
const CMD_OPTION = /^\/(?:[adqsu]|[efv]:(?:on|off))$/i;

/** Whether a program is cmd.exe: Windows overlooks dots and blanks at the end of a name. */
export function isCmd(file: string): boolean {
  return /(?:^|[\\/:])cmd(?:\.exe)?[. ]*$/i.test(file);
}

/** What cmd.exe is to run; undefined for another program, and where it is told otherwise. */
export function parseCmd(file: string, args: readonly string[]): CmdLine | undefined {
  const [line, slashC, ...options] = args.toReversed();
  const isLine = isCmd(file) && line !== undefined && /^\/c$/i.test(slashC ?? "") &&
    options.every((option) => CMD_OPTION.test(option));
  return isLine ? { leading: args.slice(0, -1), line } : undefined;
}
