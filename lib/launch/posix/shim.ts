// The shim of Linux and macOS, a constant `sh` script: the parent of an agent. It creates the claim's
// pid file exclusively, runs the agent with its output straight into the log, and records the exit
// code. Killed before it has created the file it has done nothing; killed later, the agent goes on.

/**
 * What it does, in this order; killed between two steps it leaves what the steps before it did:
 *
 * 1. closes what else the caller had open, and sets its traps;
 * 2. finds out who and where it is: pid, boot, start time, machine, host, pid namespace;
 * 3. creates the pid file exclusively: from here on the claim is its own, and nobody else's;
 * 4. creates the exit file, with room for the exit code;
 * 5. checks that the task is still there, that folder, program and input can be had;
 * 6. runs the agent, and waits for it;
 * 7. writes the exit code.
 *
 * $1 pid file, $2 exit file, $3 log, $4 stdin, $5 folder, then the command. Values come as
 * arguments only, never as text of the script. Its variables have names that no environment has,
 * for assigning to one that the agent inherits would change the agent's.
 *
 * What else the caller had open (the lock of a script, the pipe of a CI runner) is not kept open by
 * an agent that outlives it, as far as a shell can: it knows no descriptors above 9.
 *
 * The pid file tells who the shim is and, in its second line, where. What cannot be told is `-`; where
 * /proc is that of another pid namespace, or absent, nobody can look at the shim: `?`.
 *
 * The traps keep the shim alive through a SIGTERM to its group, so that it can still record how the
 * agent ended; in the subshell they are reset. A signal before the agent runs keeps it from running.
 *
 * The exit code has its room from the beginning, a line of its own: a disk that is full by then, for
 * hours, does not keep it out. It is written into the file that was created for it, whatever has its
 * name by now, and what has its name is looked at: where an agent put something else there, or took it
 * away, the file is made anew, again every second for a while where the disk is full, unless the folder
 * is another one: without our pid file in it. The file's time is the end's; who sees no code in it waits. Where there is no room for the
 * pid file or for the code, the pid file is removed, so that the claim is taken back; a task that was
 * archived or cleaned in the meantime is not run.
 */
export const SHIM = `
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
_o_mask=$(umask)
umask 077
set -Cf
_o_pid=$1
_o_out=$2
_o_ended=
trap _o_ended=1 TERM INT HUP QUIT
_o_end() {
  if printf '%s\\n' "$1" >&9 && [ -f "$_o_out" ] && [ ! -L "$_o_out" ]; then
    { read -r _o_line && { read -r _o_start; [ -z "$_o_start" ]; }; } <"$_o_out" &&
      [ "$_o_line" = "$1" ] && exit 0
  fi
  read -r _o_line <"$_o_pid" && [ "\${_o_line%% *}" = "$$" ] || exit 0
  for _o_try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -d "\${_o_out%/*}" ] && [ ! -d "$_o_out" ] || exit 0
    if [ -e "$_o_out" ] || [ -L "$_o_out" ]; then rm -f "$_o_out"; fi
    printf '%s\\n' "$1" >"$_o_out" && exit 0
    rm -f "$_o_out"
    sleep 1
  done
  exit 0
}
_o_field() { shift 19; _o_start=$1; }
_o_boot=
_o_machine=
_o_host=
_o_space=
if read -r _o_line </proc/self/stat; then
  read -r _o_boot </proc/sys/kernel/random/boot_id
  read -r _o_machine </etc/machine-id
  read -r _o_host </proc/sys/kernel/hostname
  if read -r _o_space </proc/1/stat; then
    _o_field \${_o_space##*) }
    _o_space=$_o_start
  fi
  [ "\${_o_line%% *}" = "$$" ] || _o_space=?
  _o_field \${_o_line##*) }
else
  _o_start=$(TZ=UTC0 LC_ALL=C ps -o lstart= -p $$) || _o_space=?
  _o_host=$(uname -n)
fi
case \${#_o_machine}$_o_machine in 32*[!0-9a-f]*) _o_machine= ;; 32*) ;; *) _o_machine= ;; esac
case $_o_host in *[!-_.A-Za-z0-9]*) _o_host= ;; esac
if [ -e "$1" ] || [ -L "$1" ]; then exit 0; fi
: >"$1" || exit 0
set +C
printf '%s %s %s\\n%s %s %s\\n' "$$" "\${_o_boot:--}" "\${_o_start:--}" \\
  "\${_o_machine:--}" "\${_o_host:--}" "\${_o_space:--}" >"$1" || { rm -f "$1"; exit 0; }
set -C
_o_found() {
  case $1 in
    -*) false ;;
    */*) [ -f "$1" ] && [ -x "$1" ] ;;
    *) command -v "$1" ;;
  esac
}
_o_main() {
  printf '\\n' >&8 || { rm -f "$_o_out" "$1"; exit 0; }
  _o_task=\${1%.*.pid}
  _o_task=\${_o_task%.verify}
  [ -e "\${_o_task%.setup}.json" ] || { rm -f "$_o_out" "$1"; exit 0; }
  cd "$5" && _o_found "$6" && [ -r "$4" ] || _o_end '127 spawn'
  [ -z "$_o_ended" ] || _o_end 143
  ( set +Cf; umask "$_o_mask"; shift 5; exec "$@" ) <"$4" >>"$3" 2>&1 8>&- 9>&-
  _o_end "$?"
}
if [ -e "$_o_out" ] || [ -L "$_o_out" ]; then rm -f "$_o_out"; fi
[ ! -d "$_o_out" ] || _o_main "$@" 8>/dev/null 9>&-
_o_main "$@" 8>"$_o_out" 9<>"$_o_out"
rm -f "$1"
`;
