#!/bin/sh
# Point other people's clients at the emulator. Each gets an environment of its own in .conformance, made when missing
# or when its lock changed: two of Python, one of node (left out, with its tests, where there is no node and npm).
# Usage: conformance.sh [PYTEST ARGUMENTS] runs the tests; conformance.sh --table writes docs/conformance.md.
set -eu
cd "$(dirname "$0")/.."
home=.conformance
python=.venv/bin/python

say() { echo "conformance: $*"; }

# Tell whether an environment was made from this lock, and is whole.
made() { [ -e "$home/$1/.lock" ] && cmp -s "$2" "$home/$1/.lock"; }

for client in ccxt typed-aster; do
    lock=requirements/conformance-$client.txt
    made "$client" "$lock" && continue
    say "making $home/$client"
    rm -rf "${home:?}/$client"
    if [ -x .venv/bin/uv ]; then
        .venv/bin/uv venv --quiet --python "$python" "$home/$client"
        .venv/bin/uv pip install --quiet --python "$home/$client/bin/python" --require-hashes -r "$lock"
    else
        "$python" -m venv "$home/$client"
        "$home/$client/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
    fi
    cp "$lock" "$home/$client/.lock"
done

lock=tests/conformance/js/package-lock.json
if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then
    say "there is no node 20 or newer with npm: the client in JavaScript is left out"
elif ! made js "$lock"; then
    say "making $home/js"
    rm -rf "${home:?}/js"
    mkdir -p "$home/js/bin"
    cp tests/conformance/js/package.json "$lock" "$home/js/"
    (cd "$home/js" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    ln -s "$(command -v node)" "$home/js/bin/node"
    cp "$lock" "$home/js/.lock"
fi

if [ "${1:-}" = --table ]; then
    PYTHONPATH=src:tests exec "$python" -m support.conformance_table
fi
exec "$python" -m pytest -q tests/conformance "$@"
