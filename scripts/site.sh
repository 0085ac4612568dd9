#!/bin/sh
# Build the documentation as a site into .site, strictly: a broken link is an error. Its tool has an environment of its own.
set -eu
cd "$(dirname "$0")/.."
lock=requirements/site.txt
home=.venv-site
if ! cmp -s "$lock" "$home/.lock"; then
    rm -rf "$home"
    "${PYTHON:-python3}" -m venv "$home"
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
    cp "$lock" "$home/.lock"
fi
rm -rf .site
NO_COLOR=1 "$home/bin/zensical" build --strict
