#!/usr/bin/env bash
# kafka.sh - one real Apache Kafka broker (KRaft, combined broker+controller) on 127.0.0.1, for tests and benchmarks.
#
#   kafka.sh install                  fetch the jars with mvn into $KAFKA_HOME (once; no-op afterwards)
#   kafka.sh start  [options]         install if needed, format the storage if new, start, wait until ready (no-op if up)
#   kafka.sh stop   [options]         stop the broker of that data dir (TERM, then KILL after 30 s)
#   kafka.sh kill   [options]         kill -9, as a crash would; `start` brings it back with its data
#   kafka.sh status [options]         exit 0 if it is up
#   kafka.sh topic NAME PARTITIONS [options] [key=value ...]   create a topic (no-op if it exists), optional topic configs
#   kafka.sh run CLASS [args...]      run any Kafka tool class, e.g. org.apache.kafka.tools.ConsumerPerformance
# Options (each has an environment variable):
#   --port N     KAFKA_PORT  19092    PLAINTEXT listener; N+1 is the controller, N+2 the SASL_SSL listener, N+3 the SSL one
#   --data DIR   KAFKA_DATA  ${TMPDIR:-/tmp}/millrace-kafka-$PORT   log segments, pidfile (kafka.pid), broker.log, client files
#   --heap SIZE  KAFKA_HEAP  512m
#   --secure     KAFKA_SECURE=1       also listen on N+2 with TLS and SASL (PLAIN, SCRAM-SHA-256 and -512; user/password
#                                     millrace/millrace-secret), on N+3 with mutual TLS. Client files in $KAFKA_DATA: ca.pem (trust), client.crt +
#                                     client.key (for N+3), ca.p12 (Java trust store, "changeit")
# Needs: bash, java 17, mvn (first time only), openssl (only --secure). Everything binds to 127.0.0.1.
set -euo pipefail

VERSION=${KAFKA_VERSION:-3.9.1}
KAFKA_HOME=${KAFKA_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-servers/kafka}
PORT=${KAFKA_PORT:-19092} DATA=${KAFKA_DATA:-} HEAP=${KAFKA_HEAP:-512m} SECURE=${KAFKA_SECURE:-0}
LIB=$KAFKA_HOME/$VERSION
# shellcheck source=scripts/servers/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install() {
  [ -e "$LIB/.complete" ] && return 0
  command -v mvn >/dev/null || die "mvn is needed to fetch Kafka (apt-get install maven)"
  mkdir -p "$KAFKA_HOME"; exec 8>"$KAFKA_HOME/.lock"; flock 8
  [ -e "$LIB/.complete" ] && { exec 8>&-; return 0; }  # another one has just done it
  local t; t=$(mktemp -d "$KAFKA_HOME/.new.XXXXXX")
  cat >"$t/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>millrace</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
  <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$VERSION</version></dependency>
  <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$VERSION</version></dependency>
  <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
POM
  fetch_jars "$t" "kafka $VERSION"
  rm -f "$t"/lib/*log4j12* "$t"/lib/slf4j-reload4j*  # exactly one slf4j backend: slf4j-simple
  touch "$t/.complete"; rm -rf "$LIB"; mv "$t" "$LIB"; exec 8>&-
}

jvm() { java -Dorg.slf4j.simpleLogger.defaultLogLevel="${KAFKA_LOG:-warn}" -cp "$LIB/lib/*" "$@"; }
tool() { jvm -Xmx256m -XX:TieredStopAtLevel=1 "$@"; }
alive() { local p; p=$(cat "$DATA/kafka.pid" 2>/dev/null) || return 1
          [ -n "$p" ] && tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q "kafka.Kafka $DATA/server.properties"; }

certs() {                                          # a throw-away CA, broker and client certificates
  [ -e "$DATA/ca.p12" ] && return 0
  { make_certs broker client && make_key_stores broker; } || die "openssl/keytool failed, see $DATA/certs.log"
}

configure() {
  local l="PLAINTEXT://127.0.0.1:$PORT" c="CONTROLLER://127.0.0.1:$((PORT + 1))"
  [ "$SECURE" = 1 ] && l="$l,SASL_SSL://127.0.0.1:$((PORT + 2)),SSL://127.0.0.1:$((PORT + 3))"
  cat >"$DATA/server.properties" <<CFG
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((PORT + 1))
controller.listener.names=CONTROLLER
listeners=$l,$c
advertised.listeners=$l
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
log.dirs=$DATA/logs
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.retention.hours=-1
num.network.threads=2
num.io.threads=4
CFG
  [ "$SECURE" = 1 ] || return 0
  certs
  local m=org.apache.kafka.common.security
  cat >>"$DATA/server.properties" <<CFG
ssl.keystore.location=$DATA/broker.p12
ssl.keystore.password=changeit
ssl.keystore.type=PKCS12
ssl.truststore.location=$DATA/ca.p12
ssl.truststore.password=changeit
ssl.truststore.type=PKCS12
listener.name.sasl_ssl.ssl.client.auth=none
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=$m.plain.PlainLoginModule required user_millrace="millrace-secret";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=$m.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=$m.scram.ScramLoginModule required;
CFG
}

start() {
  install
  mkdir -p "$DATA"; exec 9>"$DATA/.lock"; flock -w 120 9 || die "another kafka.sh works on $DATA"
  if alive && listening "$PORT"; then return 0; fi
  listening "$PORT" && die "port $PORT is taken by something else"
  configure
  if [ ! -e "$DATA/logs/meta.properties" ]; then
    tool kafka.tools.StorageTool format -t "$(tool kafka.tools.StorageTool random-uuid)" -c "$DATA/server.properties" \
      --add-scram 'SCRAM-SHA-256=[name=millrace,password=millrace-secret]' \
      --add-scram 'SCRAM-SHA-512=[name=millrace,password=millrace-secret]' >"$DATA/format.log" 2>&1 || die "format failed, see $DATA/format.log"
  fi
  setsid java -Xms"$HEAP" -Xmx"$HEAP" -XX:+UseG1GC -Dorg.slf4j.simpleLogger.defaultLogLevel="${KAFKA_LOG:-info}" \
    -cp "$LIB/lib/*" kafka.Kafka "$DATA/server.properties" 9>&- >"$DATA/broker.log" 2>&1 </dev/null &
  echo $! >"$DATA/kafka.pid"; disown
  for _ in $(seq 240); do
    kill -0 "$(cat "$DATA/kafka.pid")" 2>/dev/null || { tail -20 "$DATA/broker.log" >&2; die "the broker died"; }
    if grep -q 'Kafka Server started' "$DATA/broker.log" && listening "$PORT"; then return 0; fi
    sleep 0.25
  done
  die "the broker is not ready after 60 s, see $DATA/broker.log"
}

stop() { end_process "$DATA/kafka.pid" "$@"; }  # [SIGNAL]

topic() {
  [ $# -ge 2 ] || die "topic NAME PARTITIONS [key=value ...]"
  local name=$1 parts=$2 cfg=() kv; shift 2
  for kv in "$@"; do cfg+=(--config "$kv"); done
  tool org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$PORT" --create --if-not-exists \
    --topic "$name" --partitions "$parts" --replication-factor 1 "${cfg[@]}"
}

cmd=${1:-}; shift || true
if [ "$cmd" = run ]; then install; jvm -Xmx512m "$@"; exit; fi
args=()
while [ $# -gt 0 ]; do
  case $1 in
    --port) PORT=$2; shift 2 ;; --data) DATA=$2; shift 2 ;; --heap) HEAP=$2; shift 2 ;; --secure) SECURE=1; shift ;;
    *) args+=("$1"); shift ;;
  esac
done
DATA=${DATA:-${TMPDIR:-/tmp}/millrace-kafka-$PORT}
case $cmd in
  install) install ;; start) start ;; stop) stop ;; kill) stop KILL ;; status) alive && listening "$PORT" ;; topic) topic "${args[@]}" ;;
  *) sed -n '2,/^set -e/{/^#/p}' "$0"; exit 2 ;;
esac
