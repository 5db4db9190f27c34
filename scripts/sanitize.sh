#!/usr/bin/env bash
# Builds with a sanitizer and runs the unit tests under it.
#
#   scripts/sanitize.sh [asan] [tsan]     default: both; asan is AddressSanitizer with UBSan, tsan is ThreadSanitizer
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

presets=("$@")
((${#presets[@]} > 0)) || presets=(asan tsan)
for preset in "${presets[@]}"; do
  [[ $preset == asan || $preset == tsan ]] || {
    echo "sanitize.sh: '$preset' is not a sanitizer; there are asan and tsan" >&2
    exit 2
  }
done

scripts/install_deps.sh --tests
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1}
failed=()
for preset in "${presets[@]}"; do
  cmake --preset "$preset"
  cmake --build --preset "$preset"
  ctest --preset "$preset" -L unit -j "$(nproc)" --timeout 600 || failed+=("$preset")
done
if ((${#failed[@]} > 0)); then
  echo "sanitize.sh: failed under ${failed[*]}" >&2
  exit 1
fi
