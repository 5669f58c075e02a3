# shellcheck shell=bash
# What .ci/run and .ci/release share. Each sets `steps`: a line for every step, its name and what it shows. A step is
# the function of that name. `main "$@"` is the last line of both.
set -euo pipefail
shopt -s inherit_errexit

# What this machine has set for itself is no business of the function's, nor of the tools under test.
unset AWS_CA_BUNDLE AWS_PROFILE AWS_REGION AWS_DEFAULT_REGION RUST_LOG
unset PYTHONDONTWRITEBYTECODE # without bytecode each start of SAM takes two seconds more
export SAM_CLI_TELEMETRY=0 CARGO_INCREMENTAL=0
target=$PWD/target # virtual environments and tools stay there for the next run
own=$(uname -m | sed s/aarch64/arm64/)
# In front of what calls cargo-lambda: it would ask rustup for the target, which is there already.
offline=(env RUSTUP_DIST_SERVER=http://127.0.0.1:1)
export PYTHONPYCACHEPREFIX=$target/pycache # nothing beside the sources
mkdir -p "$target"
fresh=$(mktemp -d)
chmod 755 "$fresh" # the emulator's core for many at once starts the binary in there as another user
step=
trap ended EXIT

ended() {
    local status=$?
    if [ "$status" -ne 0 ] && [ "$step" ]; then printf '==== %s has failed\n' "$step"; fi
    if [ -e "$fresh/not-tested" ]; then cat "$fresh/not-tested"; fi
    # shellcheck disable=SC2046 # a word for each process
    kill $(jobs -p) 2> /dev/null || true
    rm -rf "$fresh"
}

usage() {
    printf '%s [STEP…]      all steps, in a fresh clone, or these, in this folder\n\n%s\n' "$0" "$steps"
}

main() {
    local names name
    mapfile -t names < <(awk '{ print $1 }' <<< "$steps")
    for name in "$@"; do
        if [ "$name" = --help ]; then usage && exit; fi
        if [[ " ${names[*]} " != *" $name "* ]]; then usage >&2 && exit 2; fi
    done
    if [ $# -eq 0 ]; then
        set -- "${names[@]}"
        clone "$target/clone"
        cd "$target/clone"
        export CARGO_TARGET_DIR=$target/check # what is compiled in this folder is not touched
        prepare > "$fresh/prepare.log" 2>&1 & # while the first steps compile; a step that needs more of it waits
    fi
    export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$target}" CAPTURED_LOG=$fresh/log.jsonl FUZZ_SEEDS=$PWD/fuzz/corpus
    TIMEFORMAT='==== real %lR, user %lU, sys %lS'
    time for step in "$@"; do
        printf '\n==== %s (%ss)\n' "$step" "$SECONDS"
        "$step"
    done
}

not_tested() { # not_tested WHAT: says so at the very end
    printf 'NOT TESTED: %s\n' "$1" >> "$fresh/not-tested"
}

clone() { # clone FOLDER: a fresh clone, with what is changed and known to git
    local state
    state=$(git stash create)
    rm -rf "$1"
    git clone --quiet --shared . "$1"
    git -C "$1" checkout --quiet --detach "${state:-HEAD}"
}

packages() { # packages COMMAND:PACKAGE…: installs Debian's packages of the commands, or files, that are missing
    local one missing=()
    {
        flock 9
        for one in "$@"; do
            [ -e "${one%:*}" ] || command -v "${one%:*}" > /dev/null || missing+=("${one#*:}")
        done
        if [ ${#missing[@]} -gt 0 ]; then
            apt-get update -qq
            apt-get install -qq -y --no-install-recommends "${missing[@]}" > /dev/null
        fi
    } 9> "$target/packages.lock"
}

venv() { # venv NAME REQUIREMENTS: its virtual environment's programs, installed once for each change of the pins
    local path uv=$target/venv/uv
    path="$target/venv/$1-$(sha256sum "$2" | cut -c1-12)"
    {
        flock 9
        if [ ! -e "$uv/complete" ]; then
            python3 -c 'import ensurepip' 2> /dev/null || packages /ensurepip:python3-venv
            python3 -m venv --clear "$uv"
            "$uv/bin/pip" install --quiet uv==0.13.9 # pip takes two minutes of CPU for SAM and moto, uv four seconds
            touch "$uv/complete"
        fi
        if [ ! -e "$path/complete" ]; then
            "$uv/bin/uv" venv --quiet --clear --python "$(command -v python3)" "$path"
            "$uv/bin/uv" pip install --quiet --python "$path/bin/python" --requirement "$2"
            touch "$path/complete"
        fi
    } 9> "$target/venv.lock"
    printf %s "$path/bin"
}

tools() { # sets `aws`: the folder of SAM, cargo-lambda, moto and the linters
    aws=$(venv aws .ci/requirements.txt)
}

programs() { # builds `job-status`, `jobs`, `pages`, `local`, and `poll` of docs/clients.md
    cargo build --locked --quiet --bins --examples
}

built() { # sets `bootstrap`: the function as `sam build` makes it, for this machine's processor, once in a run
    tools
    bootstrap=$fresh/sam/StatusFunction/bootstrap
    if [ ! -e "$bootstrap" ]; then
        "${offline[@]}" PATH="$aws:$PATH" sam build --build-dir "$fresh/sam" --parameter-overrides "Architecture=$own"
    fi
}
