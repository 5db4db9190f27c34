#!/usr/bin/env bash
# flume.sh - one real Apache Flume 1.11 agent (Maven Central's flume-ng-node) on 127.0.0.1 that pushes events to HOST:PORT.
#
#   flume.sh install               fetch the jars with mvn into $FLUME_HOME (once; no-op afterwards)
#   flume.sh installed             exit 0 if that was done
#   flume.sh start  [options]      install if needed, write $FLUME_DATA/agent.properties, start, wait until the source is up
#   flume.sh stop|kill [options]   TERM (then KILL after 30 s) | kill -9 of the agent of that data dir
#   flume.sh status [options]      exit 0 if it is up
#   flume.sh send   [options]      copy stdin, one event a line, into the netcat source (waits for every line's OK)
# Options (each has an environment variable):
#   --port N        FLUME_PORT 19141    netcat source's port;  --data DIR  FLUME_DATA ${TMPDIR:-/tmp}/millrace-flume-$PORT
#   --source KIND   FLUME_SOURCE netcat|spooldir|exec|seq|avro|thrift   spooldir: rename finished files INTO $FLUME_DATA/spool;
#                   exec: runs FLUME_EXEC (e.g. "tail -n +1 -F FILE"); seq: counts 0.. up to FLUME_TOTAL events (load);
#                   avro: an Avro server on --port (aim your own Avro client, or a second agent's avro sink, at it)
#   --sink KIND     FLUME_SINK thrift|logger|null      --to HOST:PORT  FLUME_TO 127.0.0.1:19142; with several,
#                   separated by commas, a failover processor uses the first that answers
#   --channel KIND  FLUME_CHANNEL memory|file (file survives kill -9)     --batch N  FLUME_BATCH 100 events an RPC
#   --truststore F  FLUME_TRUSTSTORE  PKCS12/JKS file with the receiver's CA, password "changeit": the sink then speaks TLS
#   --id-header N   FLUME_ID_HEADER  a header N with the first word of the event's body
#   FLUME_SINK_EXTRA  more sink properties, ';'-separated (e.g. "protocol=binary;request-timeout=2000;compression-type=deflate")
#   FLUME_KEEP_ALIVE  seconds that the sink waits for EACH further event of a batch (channel keep-alive): 0 here, Flume's own
#                     default is 3, with which a trickle of 1 event/s holds a batch open until it is full (measured: 10 s)
#   FLUME_HEADERS=1   add a header timestamp (epoch ms) to every event;  FLUME_HEAP 128m
# Needs: bash, java 17, mvn (first install). Nothing listens but the source, on 127.0.0.1.
#
# THRIFT SINK, the wire contract (read in flume-ng-sdk 1.11.0 / libthrift 0.14.1 and proved against a Thrift server here)
#   IDL   struct ThriftFlumeEvent { 1: required map<string,string> headers, 2: required binary body }
#         enum   Status { OK = 0, FAILED = 1, ERROR = 2, UNKNOWN = 3 }
#         service ThriftSourceProtocol { Status append(1: ThriftFlumeEvent event),
#                                        Status appendBatch(1: list<ThriftFlumeEvent> events) }
#   Stack TCP, TFramedTransport (4-byte big-endian length; libthrift caps a frame at 16,384,000 bytes), TCompactProtocol
#         (sink property protocol=binary: strict TBinaryProtocol). In C++: TFramedTransportFactory + TCompactProtocolFactory.
#   The sink calls appendBatch ONLY (append is used by Flume's RPC client API): one call at a time on one connection, one
#         Flume transaction = one call of 1..batch-size events (never an empty one; for waiting see FLUME_KEEP_ALIVE).
#         seqid starts at 1 on each connection and is no batch id. There is no event id and no batch id of any kind.
#   OK    -> the transaction commits, the events leave the channel. Events arrive in channel order.
#   Not OK, an exception, a dropped connection, or no answer in request-timeout (20000 ms; less than 1000 is ignored) ->
#         rollback, the connection is closed, 5 s of sleep (SinkRunner, fixed), then a NEW connection and the same events
#         again, in order, for ever. The next call starts with the rolled-back events but MAY HOLD MORE (the channel has
#         filled up meanwhile), so a batch cannot be recognised by its size or hash. So: at least once, and duplicates
#         whenever the receiver stored a batch but its answer got lost; dedupe needs an id in a header (source/interceptor).
#         A receiver that answers OK before the events are durable loses them when it dies.
#   Pace  an idle sink polls with a back-off of 1, 2, ... 5 s, so the first events after a quiet time arrive up to 5 s late.
#   TLS   ssl=true + truststore (--truststore): server authentication only (TLS 1.3 proved). The Thrift sink has no client-certificate and
#         no hostname-verification option (any name signed by the CA is accepted). Kerberos/SASL exists, not covered here.
set -euo pipefail

VERSION=${FLUME_VERSION:-1.11.0}
FLUME_HOME=${FLUME_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-servers/flume}
PORT=${FLUME_PORT:-19141} DATA=${FLUME_DATA:-} SOURCE=${FLUME_SOURCE:-netcat} SINK=${FLUME_SINK:-thrift}
TO=${FLUME_TO:-127.0.0.1:19142} CHANNEL=${FLUME_CHANNEL:-memory} BATCH=${FLUME_BATCH:-100} TRUST=${FLUME_TRUSTSTORE:-} ID_HEADER=${FLUME_ID_HEADER:-}
LIB=$FLUME_HOME/$VERSION
# shellcheck source=scripts/servers/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install() {
  [ -e "$LIB/.complete" ] && return 0
  command -v mvn >/dev/null || die "mvn is needed to fetch Flume (apt-get install maven)"
  local t try
  mkdir -p "$FLUME_HOME"; exec 8>"$FLUME_HOME/.lock"; flock 8
  [ -e "$LIB/.complete" ] && { exec 8>&-; return 0; }  # another one has just done it
  t=$(mktemp -d "$FLUME_HOME/.new.XXXXXX")
  cat >"$t/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>millrace</groupId><artifactId>flume-agent</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
  <dependency><groupId>org.apache.flume</groupId><artifactId>flume-ng-node</artifactId><version>$VERSION</version></dependency>
  <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
POM
  fetch_jars "$t" "flume $VERSION"
  touch "$t/.complete"; rm -rf "$LIB"; mv "$t" "$LIB"; exec 8>&-
}

alive() { local p; p=$(cat "$DATA/flume.pid" 2>/dev/null) || return 1
          [ -n "$p" ] && tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline" | grep -qF -- "$DATA/agent.properties "; }

configure() {
  local x k to sinks=() names=(); mkdir -p "$DATA/spool"
  {
    IFS=, read -r -a to <<<"$TO"
    for ((x = 0; x < ${#to[@]}; ++x)); do sinks+=("k$x"); done
    echo "a.sources=s"; echo "a.channels=c"; echo "a.sinks=${sinks[*]}"; echo "a.sources.s.channels=c"
    case $SOURCE in
      netcat)   printf 'a.sources.s.%s\n' type=netcat bind=127.0.0.1 port="$PORT" max-line-length=1048576 ack-every-event=true ;;
      avro)     printf 'a.sources.s.%s\n' type=avro bind=127.0.0.1 port="$PORT" ;;
      thrift)   printf 'a.sources.s.%s\n' type=thrift bind=127.0.0.1 port="$PORT" ;;
      spooldir) printf 'a.sources.s.%s\n' type=spooldir spoolDir="$DATA/spool" deserializer.maxLineLength=1048576 batchSize=100 ;;
      exec)     printf 'a.sources.s.%s\n' type=exec shell='/bin/bash -c' command="${FLUME_EXEC:?set FLUME_EXEC}" batchTimeout=200 ;;
      seq)      printf 'a.sources.s.%s\n' type=seq batchSize="$BATCH" totalEvents="${FLUME_TOTAL:-1000}" ;;
      *) die "--source netcat|spooldir|exec|seq|avro|thrift" ;;
    esac
    if [ "${FLUME_HEADERS:-0}" = 1 ]; then names+=(t); echo "a.sources.s.interceptors.t.type=timestamp"; fi
    if [ -n "$ID_HEADER" ]; then
      names+=(i); printf 'a.sources.s.interceptors.i.%s\n' type=regex_extractor 'regex=^(\\S+)' serializers=n serializers.n.name="$ID_HEADER"
    fi
    echo "a.sources.s.interceptors=${names[*]}"
    case $CHANNEL in
      memory) printf 'a.channels.c.%s\n' type=memory keep-alive="${FLUME_KEEP_ALIVE:-0}" capacity=100000 transactionCapacity=10000 ;;
      file)   printf 'a.channels.c.%s\n' type=file keep-alive="${FLUME_KEEP_ALIVE:-0}" checkpointDir="$DATA/checkpoint" dataDirs="$DATA/channel" capacity=1000000 transactionCapacity=10000 minimumRequiredSpace=1048576 ;;
      *) die "--channel memory|file" ;;
    esac
    for ((x = 0; x < ${#sinks[@]}; ++x)); do
      k=a.sinks.${sinks[x]}; echo "$k.channel=c"
      case $SINK in
        thrift) printf "$k.%s\n" type="$SINK" hostname="${to[x]%:*}" port="${to[x]##*:}" batch-size="$BATCH" ;;
        logger) echo "$k.type=logger" ;;
        null) printf "$k.%s\n" type=null batchSize="$BATCH" logEveryNEvents=1000 ;;
        *) die "--sink thrift|logger|null" ;;
      esac
      if [ -n "$TRUST" ]; then printf "$k.%s\n" ssl=true truststore="$TRUST" truststore-password=changeit truststore-type="$(case $TRUST in *.jks) echo JKS ;; *) echo PKCS12 ;; esac)"; fi
      tr ';' '\n' <<<"${FLUME_SINK_EXTRA:-}" | sed "/./!d;s/^/$k./"
    done
    if [ "${#sinks[@]}" -gt 1 ]; then
      echo "a.sinkgroups=g"; printf 'a.sinkgroups.g.%s\n' "sinks=${sinks[*]}" processor.type=failover processor.maxpenalty=2000
      for ((x = 0; x < ${#sinks[@]}; ++x)); do echo "a.sinkgroups.g.processor.priority.${sinks[x]}=$((100 - x))"; done
    fi
  } >"$DATA/agent.properties"
}

start() {
  install
  mkdir -p "$DATA"; exec 9>"$DATA/.lock"; flock -w 120 9 || die "another flume.sh works on $DATA"
  if alive; then return 0; fi
  case $SOURCE in netcat|avro|thrift) if listening "$PORT"; then die "port $PORT is taken by something else"; fi ;; esac
  configure
  java -Xmx"${FLUME_HEAP:-128m}" -Dorg.slf4j.simpleLogger.showDateTime=true -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS \
    -cp "$LIB/lib/*" org.apache.flume.node.Application --no-reload-conf --name a --conf-file "$DATA/agent.properties" \
    9>&- >"$DATA/agent.log" 2>&1 </dev/null &
  echo $! >"$DATA/flume.pid"; disown
  for _ in $(seq 240); do
    kill -0 "$(cat "$DATA/flume.pid")" 2>/dev/null || { tail -20 "$DATA/agent.log" >&2; die "the agent died"; }
    if grep -q 'Starting Source s' "$DATA/agent.log"; then
      case $SOURCE in netcat|avro|thrift) if listening "$PORT"; then return 0; fi ;; *) return 0 ;; esac
    fi
    sleep 0.25
  done
  die "the agent is not ready after 60 s, see $DATA/agent.log"
}

stop() { end_process "$DATA/flume.pid" "$@"; }  # [SIGNAL]

send() {
  local line ack; exec 3<>"/dev/tcp/127.0.0.1/$PORT"
  while IFS= read -r line || [ -n "$line" ]; do printf '%s\n' "$line" >&3; read -r ack <&3; [ "$ack" = OK ] || die "source said: $ack"; done
}

cmd=${1:-}; shift || true
while [ $# -gt 0 ]; do
  case $1 in
    --port) PORT=$2 ;; --data) DATA=$2 ;; --source) SOURCE=$2 ;; --sink) SINK=$2 ;; --to) TO=$2 ;; --channel) CHANNEL=$2 ;;
    --batch) BATCH=$2 ;; --truststore) TRUST=$2 ;; --id-header) ID_HEADER=$2 ;; *) die "unknown option $1" ;;
  esac; shift 2
done
DATA=${DATA:-${TMPDIR:-/tmp}/millrace-flume-$PORT}; [[ $DATA = /* ]] || DATA=$PWD/$DATA
case $cmd in
  install) install ;; installed) [ -e "$LIB/.complete" ] ;; start) start ;; stop) stop ;; kill) stop KILL ;; status) alive ;; send) send ;;
  *) sed -n '2,/^set -e/{/^#/p}' "$0"; exit 2 ;;
esac
