#!/usr/bin/env bash
# Fetches D3's modules as vendor/package-lock.json pins them (npm compares their sha512) and puts them, with their
# licences, where the image takes them from. What needs a page to draw on is not among them.
set -euo pipefail
cd "$(dirname "$0")/../vendor"
npm ci --ignore-scripts --no-audit --no-fund
for package in node_modules/d3-* node_modules/internmap; do
    name=$(basename "$package")
    if [ -f "$package/dist/$name.mjs" ]; then
        cp "$package/dist/$name.mjs" "$name.mjs"
    elif [ -f "$package/src/index.js" ]; then
        cp "$package/src/index.js" "$name.mjs"
    else
        echo "$package has no module" >&2
        exit 1
    fi
    cp "$package/LICENSE" "../licenses/$name.txt"
done
# Bundled in d3-delaunay.
cp node_modules/delaunator/LICENSE ../licenses/delaunator.txt
cp node_modules/robust-predicates/LICENSE ../licenses/robust-predicates.txt
rm -r node_modules
