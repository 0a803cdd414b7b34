# shellcheck shell=bash
# Sourced by the scripts beside it: strict mode, the top of the tree as working directory, and what is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '== %s\n' "$*"; }
die() {
  printf '%s: error: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

missing_packages=()

# run_as_root <command...>
run_as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  else
    command -v sudo >/dev/null || die "neither root nor sudo here; please install: ${missing_packages[*]}"
    sudo "$@"
  fi
}

# retry <command...>: mirrors fail now and then.
retry() {
  local attempt
  for attempt in 1 2 3 4; do
    "$@" && return 0
    if [[ $attempt -lt 4 ]]; then
      say "failed, trying again in $((5 * attempt)) seconds: $*"
      sleep $((5 * attempt))
    fi
  done
  die "failed $attempt times: $*"
}

# need_packages <Debian packages...>: installs what is missing, and touches nothing if nothing is.
need_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "no apt here; assuming that the equivalents of these Debian packages are installed: $*"
    return 0
  fi
  local package
  missing_packages=()
  for package in "$@"; do
    if [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then
      missing_packages+=("$package")
    fi
  done
  [[ ${#missing_packages[@]} -gt 0 ]] || return 0

  say "installing with apt: ${missing_packages[*]}"
  retry install_missing </dev/null
}

install_missing() {
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get --quiet --option DPkg::Lock::Timeout=300)
  run_as_root "${apt[@]}" update &&
    run_as_root "${apt[@]}" install --yes --no-install-recommends "${missing_packages[@]}"
}

# shellcheck disable=SC2034  # for the scripts
build_packages=(g++ cmake ninja-build pkg-config libeigen3-dev nlohmann-json3-dev libcli11-dev libsndfile1-dev libpng-dev
  libjpeg-dev)
# shellcheck disable=SC2034
jobs=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
