#!/bin/sh
# Install the locked dependencies and the project itself (editable) into a virtual environment.
# Usage: setup.sh PYTHON VENV. Uses uv when there is one (on PATH, else in .venv), else venv and pip.
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

uv=$(command -v uv || true)
[ -n "$uv" ] || [ "$venv" = .venv ] || [ ! -x .venv/bin/uv ] || uv=.venv/bin/uv

if [ -n "$uv" ]; then
    [ -x "$venv/bin/python" ] || "$uv" venv --quiet --python "$python" "$venv"
    "$uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r requirements/dev.txt
    "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e .
else
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "'$python' has no venv module; install it (Debian, Ubuntu: apt install python3-venv)"
    [ -x "$venv/bin/pip" ] || "$python" -m venv "$venv"
    echo "make setup: installing into $venv (about a minute the first time)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
echo "make setup: $("$venv/bin/python" -V) with hedgerow in $venv/bin"
