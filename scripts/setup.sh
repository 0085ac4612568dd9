#!/bin/sh
# Install the locked dependencies and the project itself (editable) into a virtual environment.
# Usage: setup.sh PYTHON VENV. Uses uv: the one on PATH, else that of .venv, else the locked one, which pip installs first.
set -eu
python=$1
venv=$2

fail() {
    echo "make setup: $*" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    fail "'$python' was not found; install Python 3.11 or newer, or name it: make setup PYTHON=/path/to/python3"
"$python" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' ||
    fail "'$python' is $("$python" -V 2>&1); Hedgerow needs 3.11 or newer: make setup PYTHON=/path/to/python3"

install_with_uv() {
    [ -x "$venv/bin/python" ] || "$uv" venv --quiet --python "$python" "$venv"
    "$uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r requirements/dev.txt &&
        "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e .
}

with_pip() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }

install_with_pip() {
    with_pip --require-hashes -r requirements/dev.txt && with_pip --no-deps --no-build-isolation -e .
}

# Install uv alone, as it is locked: with it the rest takes seconds instead of a minute.
install_uv() {
    lock=$(mktemp)
    awk '/^[a-z]/ { wanted = /^uv==/ } wanted' requirements/dev.txt >"$lock"
    code=0
    with_pip --require-hashes -r "$lock" || code=$?
    rm -f "$lock"
    return "$code"
}

uv=$(command -v uv || true)
[ -n "$uv" ] || [ "$venv" = .venv ] || [ ! -x .venv/bin/uv ] || uv=.venv/bin/uv

if [ -n "$uv" ]; then
    install_with_uv
else
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "'$python' has no venv module; install it (Debian, Ubuntu: apt install python3-venv)"
    [ -x "$venv/bin/pip" ] || "$python" -m venv "$venv"
    echo "make setup: installing into $venv"
    uv=$venv/bin/uv
    # Where only pip is configured for a package index of your own, uv does not reach it.
    if ! { { [ -x "$uv" ] || install_uv; } && install_with_uv; }; then
        echo "make setup: going on with pip (about a minute the first time)"
        install_with_pip
    fi
fi
echo "make setup: $("$venv/bin/python" -V) with hedgerow in $venv/bin"
