#!/bin/sh
# Installs Orchestra: fetches the program for this system from a release, checks its SHA-256 sum, and
# puts it into a folder of yours. Needs no root and no Deno. Nothing is left behind where it fails.
#
#   ORCHESTRA_INSTALL   the folder ($HOME/.local/bin)
#   ORCHESTRA_VERSION   a release, v0.1.0 for example (the latest)
#   ORCHESTRA_URL       where the releases are; the copy that comes with a release knows its own
set -eu

releases="${ORCHESTRA_URL:-@releases@}"

fail() {
  echo "install: $1" >&2
  exit 1
}

# The name that the releases give to this system.
target() {
  system=$(uname -s)
  machine=$(uname -m)
  if [ "$system" = Darwin ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then
    machine=arm64 # an x86_64 shell on Apple silicon
  fi
  case "$machine" in
    x86_64 | amd64) machine=x86_64 ;;
    aarch64 | arm64) machine=aarch64 ;;
    *) machine= ;;
  esac
  case "$system" in
    Linux)
      # The base runtime is linked against glibc.
      if (ldd --version 2>&1 || true) | grep -qi musl; then system='Linux with musl'; else
        [ -z "$machine" ] || echo "$machine-unknown-linux-gnu"
      fi
      ;;
    Darwin) [ -z "$machine" ] || echo "$machine-apple-darwin" ;;
    MINGW* | MSYS* | CYGWIN*) fail "on Windows run install.ps1 instead" ;;
  esac
}

fetch() { # url, file
  case "$1" in https:*) only='--proto =https --proto-redir =https' ;; *) only= ;; esac
  if command -v curl >/dev/null 2>&1; then
    # shellcheck disable=SC2086 # two options, or none
    curl -fsSL $only --retry 3 -o "$2" "$1"
  elif command -v wget >/dev/null 2>&1; then
    wget -q -O "$2" "$1"
  else
    fail "neither curl nor wget is installed"
  fi || fail "could not fetch $1"
}

sum() {
  if command -v sha256sum >/dev/null 2>&1; then
    sha256sum "$1"
  elif command -v shasum >/dev/null 2>&1; then
    shasum -a 256 "$1"
  elif command -v openssl >/dev/null 2>&1; then
    openssl dgst -sha256 -r "$1"
  else
    fail "neither sha256sum nor shasum nor openssl is installed: the sum cannot be checked"
  fi | cut -d ' ' -f 1
}

# Called on the last line: a script that arrives cut off does nothing.
main() {
  case "$releases" in
    @*) fail "this copy comes from the sources: say where the releases are in ORCHESTRA_URL" ;;
  esac
  folder=${ORCHESTRA_INSTALL:-${HOME:?}/.local/bin}
  name=$(target)
  [ -n "$name" ] || fail "there is no program for $(uname -s) on $(uname -m); \
with Deno installed it runs anywhere: deno run -A jsr:@orchestra/cli"
  if [ -n "${ORCHESTRA_VERSION:-}" ]; then
    from=$releases/download/$ORCHESTRA_VERSION
  else
    from=$releases/latest/download
  fi
  file=orchestra-$name

  mkdir -p "$folder"
  # In the same folder, so that the last step is one rename.
  work=$(mktemp -d "$folder/.orchestra-install.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  fetch "$from/$file.sha256" "$work/sum"
  fetch "$from/$file" "$work/orchestra"
  wanted=$(cut -d ' ' -f 1 <"$work/sum" | head -n 1)
  found=$(sum "$work/orchestra")
  case "$wanted" in
    *[!0-9a-f]* | '') fail "$from/$file.sha256 holds no SHA-256 sum" ;;
  esac
  [ "$wanted" = "$found" ] || fail "$from/$file is not what its sum says: nothing was installed
  wanted $wanted
  found  $found"
  chmod 755 "$work/orchestra"
  mv -f "$work/orchestra" "$folder/orchestra"
  echo "Installed $folder/orchestra"
  case ":$PATH:" in
    *":$folder:"*) ;;
    *) echo "Add it to your PATH: export PATH=\"$folder:\$PATH\"" ;;
  esac
}

main "$@"
