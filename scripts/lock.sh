#!/bin/sh
# Resolve the dependencies for every supported platform and Python, with hashes and no registry address.
# Usage: lock.sh UV. LOCK_FLAGS=--upgrade moves every pin to its newest release.
set -eu
uv=$1

compile() {
    output=$1
    shift
    "$uv" pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-annotate --no-emit-index-url \
        --custom-compile-command "make lock" --quiet --output-file "$output" "$@"
    ! grep -nE '://|^-' "$output" || { echo "make lock: $output names a place" >&2; exit 1; }
    echo "make lock: $output"
}

# dev.txt holds everything; the small ones follow its pins: what the bot needs, the same with the image's extras, the build.
compile requirements/dev.txt pyproject.toml --all-extras --group dev ${LOCK_FLAGS:-}
compile requirements/core.txt pyproject.toml --constraints requirements/dev.txt
compile requirements/image.txt pyproject.toml --extra postgres --extra notify --constraints requirements/dev.txt
compile requirements/build.txt --group build --constraints requirements/dev.txt

# The clients of `make conformance`, each by itself: what one of them pins would hold the others back.
for client in ccxt typed-aster; do
    echo "$client" | compile "requirements/conformance-$client.txt" - ${LOCK_FLAGS:-}
done

# The tool of `make site`.
echo zensical | compile requirements/site.txt - ${LOCK_FLAGS:-}
