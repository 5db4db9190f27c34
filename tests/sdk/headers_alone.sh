#!/bin/sh
# usage: headers_alone.sh COMPILER INCLUDE_DIR
# Every public header compiles on its own, and none but codec_protobuf.h and the JSON and protobuf ones of formats/ needs more than the standard library and
# header-only packages.
set -eu
compiler=$1 include=$2
failed=0
for header in "$include"/millrace/*.h "$include"/millrace/formats/*.h; do
  name=${header#"$include"/}
  if ! echo "#include <$name>" | "$compiler" -std=c++20 -Wall -Wextra -fsyntax-only -I "$include" -x c++ -; then
    echo "$name does not compile alone" >&2
    failed=1
  fi
done
found=$(echo '#include <millrace/millrace.h>' | "$compiler" -std=c++20 -M -I "$include" -x c++ - | tr ' ' '\n' |
  grep -E '/(absl|google/protobuf|grpc|grpcpp|rocksdb|librdkafka|spdlog)/' || true)
if [ -n "$found" ]; then
  echo "millrace.h reaches headers that a job must not depend on: $found" >&2
  failed=1
fi
exit $failed
