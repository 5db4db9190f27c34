#!/bin/sh
# usage: out_of_tree.sh BUILD_DIR COMPILER
# Installs the SDK alone into a fresh prefix, and there configures, builds and runs a project that knows nothing but
# find_package(Millrace).
set -eu
build=$1 compiler=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --component sdk --prefix "$work/prefix" > "$work/install.log"
if grep -v -E '/(include/millrace|cmake/Millrace)(/|$)|^-- Install configuration' "$work/install.log"; then
  echo "component sdk installs more than headers and CMake files" >&2
  exit 1
fi
cmake -G Ninja -S "$here/out_of_tree" -B "$work/build" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$work/prefix"
cmake --build "$work/build"
"$work/build/show_plan" "$work/build/hello_stream.so" | tee "$work/plan"
grep -q '^job hello_stream, 2 stages$' "$work/plan"
