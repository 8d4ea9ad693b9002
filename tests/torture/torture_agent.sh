#!/bin/sh
# The agent of the torture test. Its first argument says what to do: `<kind> <token> <seconds>`. Each
# process writes to a file of its own in the ledger, so that lines of many never mix:
#   start <task> <shim's pid> <token>   it runs
#   good <task> | bad <task>            about to signal how it went
#   verify <task>                       the verify command runs
say() { printf '%s\n' "$*" >>"$TORTURE_LEDGER/$$"; }

if [ "$1" = verify ]; then
  say "verify $ORCHESTRA_TASK_ID"
  [ "$2" != slow ] || sleep 0.2
  exit 0
fi

kind=${1%% *}
rest=${1#* }
token=${rest%% *}
seconds=${rest#* }
say "start $ORCHESTRA_TASK_ID $PPID $token"
sleep "$seconds"
case $kind in
  sentinel)
    say "good $ORCHESTRA_TASK_ID"
    printf '{"summary": "done' >"$ORCHESTRA_DONE_FILE"
    printf ' %s"}\n' "$token" >>"$ORCHESTRA_DONE_FILE"
    ;;
  linger)
    say "good $ORCHESTRA_TASK_ID"
    : >"$ORCHESTRA_DONE_FILE"
    exec sleep 1000
    ;;
  exit | verified)
    say "good $ORCHESTRA_TASK_ID"
    exit 0
    ;;
  error)
    say "bad $ORCHESTRA_TASK_ID"
    printf '{"error": "asked to fail"}\n' >"$ORCHESTRA_ERROR_FILE"
    ;;
  seven)
    say "bad $ORCHESTRA_TASK_ID"
    exit 7
    ;;
  quota)
    # The first attempt finds the quota used up; the one that takes over succeeds.
    if mkdir "$TORTURE_LEDGER.quota.$token" 2>/dev/null; then
      say "bad $ORCHESTRA_TASK_ID"
      echo 'error 429: quota is used up'
      exit 1
    fi
    say "good $ORCHESTRA_TASK_ID"
    exit 0
    ;;
  hang) exec sleep 1000 ;;
  tool)
    # A tool in a session of its own, whose parent is gone at once.
    (setsid sleep 1000 >/dev/null 2>&1 &)
    exec sleep 1000
    ;;
esac
