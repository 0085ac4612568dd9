#!/usr/bin/env bash
# Build the container image from the Dockerfile as it stands and run the bot in it, as its plain user.
# With a Docker engine it uses that. Without one, as root on Debian: buildah in chroot isolation, over a stand-in
# for python:3.11-slim that debootstrap makes of Debian's own packages (kept for the next run).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

IMAGE=hedgerow:image-test
BASE=docker.io/library/python:3.11-slim
RUNNING_SECONDS=${RUNNING_SECONDS:-90} # how long the first cycle may take to show in the log
PAPER=(run --paper --home /data)
STOP_SECONDS=90                        # docker-compose.yml's stop_grace_period
scratch=$(mktemp -d)
volume=$scratch/data
container=""
bot=""
code=""

say() { printf 'image-test: %s\n' "$*"; }

fail() {
    say "FAILED: $*" >&2
    [ ! -f "$scratch/bot.log" ] || tail -n 20 "$scratch/bot.log" >&2
    exit 1
}

clean_up() {
    [ -z "$bot" ] || kill "$bot" 2>/dev/null || true
    [ -z "$container" ] || engine_remove >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap clean_up EXIT

# The way this machine reaches its package registry, for the build only: nothing of it stays in the image.
write_pip_settings() {
    python3 -m pip config list | sed -nE "s/^(:env:|global)\.(cert|index-url|proxy|trusted-host|timeout)='(.*)'$/\2 = \3/p" |
        awk -F ' = ' '!seen[$1]++' | { echo "[global]"; cat; } >"$scratch/pip.conf"
}

if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    say "using the Docker engine"
    engine_build() { docker build --quiet --tag "$IMAGE" . >/dev/null; }
    engine_create() {
        docker volume create hedgerow-image-test >/dev/null
        container=hedgerow-image-test
    }
    engine_run() { docker run --rm --init --volume hedgerow-image-test:/data --entrypoint "" "$IMAGE" "$@"; }
    engine_start() { docker run --detach --init --name "$container" --volume hedgerow-image-test:/data "$IMAGE" "${PAPER[@]}" >/dev/null; }
    engine_plain() { docker run --rm --init --volume hedgerow-image-test:/data "$IMAGE"; }
    engine_stop() {
        docker stop --time "$STOP_SECONDS" "$container" >/dev/null
        docker logs "$container" >"$scratch/bot.log" 2>&1
        code=$(docker wait "$container")
    }
    engine_volumes() { docker inspect --format '{{json .Config.Volumes}}' "$IMAGE"; }
    engine_remove() {
        docker rm --force "$container"
        docker volume rm hedgerow-image-test
        docker rmi "$IMAGE"
    }
else
    [ "$(id -u)" = 0 ] || fail "needs a Docker engine, or root (for buildah and debootstrap)"
    say "no Docker engine: using buildah"
    export BUILDAH_ISOLATION=chroot
    missing=()
    for tool in buildah debootstrap; do command -v "$tool" >/dev/null || missing+=("$tool"); done
    if [ ${#missing[@]} -gt 0 ]; then
        say "installing ${missing[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi

    make_base() {
        say "making $BASE of Debian's own python3"
        local root=$scratch/base
        debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" >"$scratch/base.log" ||
            { tail -n 5 "$scratch/base.log" >&2; fail "debootstrap"; }
        rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
        ln -s python3 "$root/usr/bin/python"
        local work
        work=$(buildah from scratch)
        buildah add --quiet "$work" "$root" / >/dev/null
        buildah config --cmd python3 --env PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin "$work"
        buildah commit --quiet --rm "$work" "$BASE" >/dev/null
        rm -rf "$root"
    }

    engine_build() {
        buildah inspect --type image "$BASE" >/dev/null 2>&1 || make_base
        write_pip_settings
        buildah build --quiet --pull-never --tag "$IMAGE" \
            --volume "$scratch/pip.conf:/etc/pip.conf:ro" --volume /etc/ssl/certs:/etc/ssl/certs:ro . >/dev/null
    }
    engine_create() {
        install -d -o 10001 -g 10001 -m 0700 "$volume"
        container=$(buildah from --pull-never "$IMAGE")
        # Else buildah mounts a directory of its own over the volume given to it.
        buildah config --volume /data- "$container"
    }
    engine_run() { buildah run --volume "$volume:/data" "$container" -- "$@"; }
    image_config() {
        buildah inspect --type image "$IMAGE" |
            python3 -c "import json, shlex, sys; config = json.load(sys.stdin)['OCIv1']['config']; print($1)"
    }
    # buildah starts no entry point by itself: read it from the image, and note the process id for the signal.
    engine_start() {
        local command
        command=$(image_config 'shlex.join(config["Entrypoint"])')
        engine_run sh -c "echo \$\$ >/data/.pid; exec $command ${PAPER[*]}" >"$scratch/bot.log" 2>&1 &
        bot=$!
    }
    engine_plain() { engine_run sh -c "exec $(image_config 'shlex.join(config["Entrypoint"] + config["Cmd"])')"; }
    engine_stop() {
        kill -TERM "$(cat "$volume/.pid")"
        timeout "$STOP_SECONDS" tail --pid="$bot" -f /dev/null || fail "SIGTERM did not stop the bot in $STOP_SECONDS s"
        code=0
        wait "$bot" || code=$?
        bot=""
    }
    engine_volumes() { image_config '" ".join(config["Volumes"])'; }
    engine_remove() {
        buildah rm "$container"
        buildah rmi "$IMAGE"
    }
fi

started=$SECONDS
engine_build
say "built in $((SECONDS - started)) s"
engine_create

case $(engine_volumes) in */data*) ;; *) fail "the image declares no volume /data" ;; esac
[ "$(engine_run id -u)" = 10001 ] || fail "the container does not run as uid 10001"
engine_run sh -c '! touch /opt/hedgerow/x 2>/dev/null' || fail "the user can change the program"
engine_run hedgerow --help >/dev/null || fail "hedgerow --help"
say "$(engine_run hedgerow --version)"
said=$(engine_run hedgerow store upgrade --store "postgresql://nobody@127.0.0.1:9/none?connect_timeout=2" 2>&1) && fail "a database answered on port 9"
case $said in *driver*) fail "the image has no PostgreSQL driver: $said" ;; *127.0.0.1:9*) ;; *) fail "without its database it said: $said" ;; esac
engine_run python -c "import apprise" || fail "the image has no Apprise"
engine_run hedgerow demo --days 1 --speed max --home /tmp/demo --json - >"$scratch/demo.json" || fail "hedgerow demo"
python3 -m json.tool "$scratch/demo.json" >/dev/null || fail "hedgerow demo --json - did not print JSON"
say "one day of the demo ran as the plain user"

code=0
said=$(engine_plain 2>&1) || code=$?
[ "$code" = 2 ] || fail "without credentials the bot ended with exit code $code"
case $said in *"no credentials"*"hedgerow demo"*) ;; *) fail "without credentials the bot said: $said" ;; esac
say "without credentials it explains itself and ends with exit code 2"

engine_start
for ((second = 0; ; second++)); do
    [ "$second" -lt "$RUNNING_SECONDS" ] || fail "no cycle in the log after $RUNNING_SECONDS s"
    ! engine_run sh -c 'grep -qs "CYCLE #1 " /data/volume_farming*.log' 2>/dev/null || break
    sleep 1
done
say "the bot runs: $(engine_run ls /data | tr '\n' ' ')"
engine_stop
[ "$code" = 0 ] || fail "SIGTERM ended the bot with exit code $code"
engine_run sh -c 'cat /data/volume_farming_state*.json' >/dev/null || fail "no state file in the volume"
say "SIGTERM stopped it with exit 0; passed in $((SECONDS - started)) s"
