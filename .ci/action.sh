#!/usr/bin/env bash
# One step of continuous integration: makes a workspace where there is none, queues the tasks of a
# file, runs them all, and ends as they ended. GitHub's runners get annotations, a job summary and
# outputs; elsewhere the same script writes the JUnit file and, where asked for, the Markdown page.
#
#   ORCHESTRA           command line of the program, words with spaces between; where it is not set,
#                       INPUT_VERSION of JSR, or the sources that the action came with, or orchestra
#   INPUT_TASKS         file of tasks, one JSON object a line
#   INPUT_AGENTS        presets to add to the workspace, with commas between
#   INPUT_PARALLEL      most tasks at once (2)
#   INPUT_JUNIT         file for JUnit XML (none)
#   INPUT_MARKDOWN      file for the page in Markdown, beside the job summary (none)
#   INPUT_FAIL_ON       incomplete: end with 1 if a task did not complete; never: end with 0 even so
set -uo pipefail

github=${GITHUB_ACTIONS:-}
if [ -n "${ORCHESTRA:-}" ]; then
  read -r -a orchestra <<<"$ORCHESTRA"
elif [ -n "${INPUT_VERSION:-}" ]; then
  # The settings and the lock file of the project that is worked on are not ours.
  orchestra=(deno run -A --quiet --no-config --no-lock "jsr:@orchestra/cli@$INPUT_VERSION")
elif [ -n "${GITHUB_ACTION_PATH:-}" ]; then
  orchestra=(deno run -A --quiet "$GITHUB_ACTION_PATH/main.ts")
else
  orchestra=(orchestra)
fi
work=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/orchestra.XXXXXX")
trap 'rm -rf "$work"' EXIT

output() { # name, value
  [ -z "${GITHUB_OUTPUT:-}" ] || printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

# Ends the step with a message that the runner shows on its page.
stop() { # exit code, message
  if [ -n "$github" ]; then
    local text=${2//\%/%25}
    text=${text//$'\r'/%0D}
    text=${text//$'\n'/%0A}
    echo "::error title=Orchestra::$text"
  else
    printf '%s\n' "$2" >&2
  fi
  output exit-code "$1"
  output outcome failure
  exit "$1"
}

# Runs the program; where it refuses, the step ends with its own words and its exit code.
must() {
  "${orchestra[@]}" "$@" 2>"$work/said"
  local code=$?
  [ "$code" -eq 0 ] || stop "$code" "$(cat "$work/said")"
  cat "$work/said" >&2
}

[ -n "${INPUT_TASKS:-}" ] || stop 2 "The input \"tasks\" names no file"
case "${INPUT_FAIL_ON:-incomplete}" in
  incomplete | never) ;;
  *) stop 2 "The input \"fail-on\" is neither incomplete nor never: $INPUT_FAIL_ON" ;;
esac
case "${INPUT_JUNIT:-}${INPUT_MARKDOWN:-}${GITHUB_STEP_SUMMARY:-}" in
  *,* | *$'\n'*) stop 2 "The path of a report must have no comma and no line break" ;;
esac

must init ${INPUT_AGENTS:+--agent "$INPUT_AGENTS"}
must start --from "$INPUT_TASKS"

junit=${INPUT_JUNIT:-$work/report.xml}
reports="junit=$junit"
[ -z "$github" ] || reports="github,$reports"
[ -z "${GITHUB_STEP_SUMMARY:-}" ] || reports="$reports,markdown=$GITHUB_STEP_SUMMARY"
[ -z "${INPUT_MARKDOWN:-}" ] || reports="$reports,markdown=$INPUT_MARKDOWN"
"${orchestra[@]}" run --all --wait --parallel "${INPUT_PARALLEL:-2}" --report "$reports"
code=$?
[ "$code" -le 1 ] || stop "$code" "The tasks could not be run to their end: exit code $code"

# The counts stand in the report's first element.
count() { sed -nE "s/^<testsuites .* $1=\"([0-9]+)\".*/\1/p" "$junit" 2>/dev/null; }
output exit-code "$code"
output outcome "$([ "$code" -eq 0 ] && echo success || echo failure)"
output tasks "$(count tests)"
output failed "$(count failures)"
[ -z "${INPUT_JUNIT:-}" ] || output junit "$INPUT_JUNIT"

[ "${INPUT_FAIL_ON:-incomplete}" != never ] || code=0
exit "$code"
