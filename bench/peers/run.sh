#!/usr/bin/env bash
# Builds the peers' programs, and runs one of them.
#
#   bench/peers/run.sh build PEER…                        PEER: spark (Spark Streaming), structured, flink, neighbours
#   bench/peers/run.sh run PEER JOB TOPIC key=value…      JOB: wordcount, running, ysb, latency, nexmark1 …; keys as the program has them
#   bench/peers/run.sh neighbours ARGUMENT…               the neighbours' own Java clients; see Neighbours.java
#
# `run` prints the program's own last lines; with csv=FILE the program writes there, every 100 ms, nanoseconds, records done,
# processor ticks and resident KiB of its process. Needs Maven and a JDK 17; libraries are kept in ~/.cache/millrace-peers.
# Environment: MILLRACE_PEER_HEAP (6g), MILLRACE_PEER_LIMIT (seconds, 300).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
libs=${XDG_CACHE_HOME:-$HOME/.cache}/millrace-peers

folder() {
  case $1 in
    spark) echo spark-dstreams ;;
    structured) echo spark-structured ;;
    flink) echo flink ;;
    neighbours) echo neighbours ;;
    *) echo "run.sh: there is no peer '$1': spark, structured, flink, neighbours" >&2 && exit 2 ;;
  esac
}

build() {  # PEER
  local name
  name=$(folder "$1")
  if [[ ! -d $libs/$name ]]; then
    mvn -q -B -f "$here/$name/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs/$name.part"
    mv "$libs/$name.part" "$libs/$name"
  fi
  mkdir -p "$libs/classes/$name"
  javac -nowarn -d "$libs/classes/$name" -cp "$libs/$name/*" "$here"/Probe.java "$here"/Ysb.java "$here/$name"/*.java
}

run() {  # PEER JOB TOPIC key=value…
  local name main module opens=()
  name=$(folder "$1")
  case $1 in spark) main=DStreams ;; structured) main=Structured ;; flink) main=Flink ;; esac
  for module in java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.util java.util.concurrent \
    java.util.concurrent.atomic sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar; do
    opens+=("--add-opens=java.base/$module=ALL-UNNAMED")
  done
  shift
  timeout "${MILLRACE_PEER_LIMIT:-300}" java "-Xms${MILLRACE_PEER_HEAP:-6g}" "-Xmx${MILLRACE_PEER_HEAP:-6g}" -XX:+UseG1GC "${opens[@]}" \
    -Djdk.reflect.useDirectMethodHandle=false -Dio.netty.tryReflectionSetAccessible=true \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dlog4j2.level=WARN -cp "$libs/classes/$name:$libs/$name/*" "$main" "$@"
}

case ${1:-} in
  build)
    shift
    for peer in "$@"; do build "$peer"; done
    ;;
  run)
    shift
    run "$@"
    ;;
  neighbours)
    shift
    exec java -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$libs/classes/neighbours:$libs/neighbours/*" Neighbours "$@"
    ;;
  *)
    sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac
