#!/usr/bin/env bash
# cassandra.sh - one real Apache Cassandra node (from Maven Central's cassandra-all) on 127.0.0.1, for tests and benchmarks.
#
#   cassandra.sh install                fetch the jars with mvn into $CASSANDRA_HOME (once; no-op afterwards)
#   cassandra.sh start  [options]       install if needed, configure, start, wait until CQL is served (no-op if up)
#   cassandra.sh stop   [options]       stop the node of that data dir (TERM, then KILL after 30 s)
#   cassandra.sh kill   [options]       kill -9 the node (crash tests); `start` brings it back with its data
#   cassandra.sh status [options]       exit 0 if it is up
#   cassandra.sh cql [options] 'STMT; STMT' ...   run CQL, rows come out as JSON lines (own venv with PyPI's cassandra-driver)
#   cassandra.sh load   [options] 'INSERT … VALUES (?, ?)' FILE   run it for each line of FILE, a JSON array of values, many at once
#   cassandra.sh check  [options]       prove that it works: keyspace, table, prepared insert, LWT (IF NOT EXISTS), select, drop
# Options (each has an environment variable):
#   --port N     CASSANDRA_PORT 19042   CQL native protocol (v3-v5; v5 is the default of 5.0); N+1 is the storage (gossip) port
#   --data DIR   CASSANDRA_DATA ${TMPDIR:-/tmp}/millrace-cassandra-$PORT   data, cassandra.yaml, node.log, cassandra.pid, certificates
#   --heap SIZE  CASSANDRA_HEAP 512m
#   --auth       CASSANDRA_AUTH=1       PasswordAuthenticator + CassandraAuthorizer; superuser cassandra/cassandra.
#                                       Decided when the data dir is made; choose another data dir (or rm it) to change it.
#   --tls MODE   CASSANDRA_TLS=off|optional|require|mutual   client TLS on the SAME port (optional: both plain and TLS;
#                                       mutual: a client certificate of our CA is required). Files in $CASSANDRA_DATA:
#                                       ca.pem, client.crt, client.key. Certificates are for DNS:localhost, IP:127.0.0.1.
# Needs: bash, java 17, mvn (first install), openssl (only TLS), python3 with venv+pip (only cql and check).
# The commit log is synced before a write is acknowledged (commitlog_sync: batch). With the default of Cassandra, periodic, a node whose
# process is killed loses what it acknowledged in the last 100 ms or so (CASSANDRA-13987).
# No JMX and no nodetool: use CQL's system and system_views tables. Everything binds to 127.0.0.1.
set -euo pipefail

VERSION=${CASSANDRA_VERSION:-5.0.9}
CASSANDRA_HOME=${CASSANDRA_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-servers/cassandra}
PORT=${CASSANDRA_PORT:-19042} DATA=${CASSANDRA_DATA:-} HEAP=${CASSANDRA_HEAP:-512m}
AUTH=${CASSANDRA_AUTH:-0} TLS=${CASSANDRA_TLS:-off}
LIB=$CASSANDRA_HOME/$VERSION PY=$CASSANDRA_HOME/py
# shellcheck source=scripts/servers/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install() {
  [ -e "$LIB/.complete" ] && return 0
  command -v mvn >/dev/null || die "mvn is needed to fetch Cassandra (apt-get install maven)"
  mkdir -p "$CASSANDRA_HOME"; exec 8>"$CASSANDRA_HOME/.lock"; flock 8
  [ -e "$LIB/.complete" ] && { exec 8>&-; return 0; }  # another one has just done it
  local t; t=$(mktemp -d "$CASSANDRA_HOME/.new.XXXXXX")
  cat >"$t/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>millrace</groupId><artifactId>cassandra-node</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
  <dependency><groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId><version>$VERSION</version></dependency>
</dependencies></project>
POM
  fetch_jars "$t" "cassandra $VERSION"
  rm -f "$t"/lib/*-osx-* "$t"/lib/*-windows-*
  touch "$t/.complete"; rm -rf "$LIB"; mv "$t" "$LIB"; exec 8>&-
}

python() {
  mkdir -p "$CASSANDRA_HOME"; exec 8>"$CASSANDRA_HOME/.lock"; flock 8
  if [ ! -x "$PY/bin/python" ] || ! "$PY/bin/python" -c 'import cassandra.cluster' 2>/dev/null; then
    rm -rf "$PY"
    if ! { python3 -m venv "$PY" && "$PY/bin/pip" install -q cassandra-driver >&2; }; then die "pip could not install cassandra-driver"; fi
  fi
  exec 8>&-
  "$PY/bin/python" "$@"
}

alive() { local p; p=$(cat "$DATA/cassandra.pid" 2>/dev/null) || return 1
          [ -n "$p" ] && tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline" | grep -qF -- "-Dmillrace.data=$DATA "; }

certs() {                                          # a throw-away CA, server and client certificates
  [ -e "$DATA/ca.p12" ] && return 0
  { make_certs server client && make_key_stores server; } || die "openssl/keytool failed, see $DATA/certs.log"
}

configure() {
  local a=AllowAllAuthenticator z=AllowAllAuthorizer enabled=true optional=false mutual=false
  [ -e "$DATA/.auth" ] || echo "$AUTH" >"$DATA/.auth"
  [ "$(cat "$DATA/.auth")" = 1 ] && { a=PasswordAuthenticator; z=CassandraAuthorizer; }
  case $TLS in off) enabled=false ;; optional) optional=true ;; require) ;; mutual) mutual=true ;; *) die "--tls off|optional|require|mutual" ;; esac
  cat >"$DATA/cassandra.yaml" <<CFG
cluster_name: millrace
num_tokens: 1
allocate_tokens_for_local_replication_factor: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
authenticator: $a
authorizer: $z
role_manager: CassandraRoleManager
roles_validity: 1s
permissions_validity: 1s
credentials_validity: 1s
data_file_directories: [$DATA/data]
commitlog_directory: $DATA/commitlog
saved_caches_directory: $DATA/saved_caches
hints_directory: $DATA/hints
cdc_raw_directory: $DATA/cdc_raw
hinted_handoff_enabled: false
commitlog_sync: batch
commitlog_segment_size: 16MiB
auto_snapshot: false
endpoint_snitch: SimpleSnitch
seed_provider: [{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{seeds: "127.0.0.1:$((PORT + 1))"}]}]
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
storage_port: $((PORT + 1))
start_native_transport: true
native_transport_port: $PORT
concurrent_reads: 8
concurrent_writes: 8
concurrent_counter_writes: 4
memtable_heap_space: 96MiB
memtable_offheap_space: 96MiB
file_cache_size: 32MiB
CFG
  [ "$enabled" = true ] || return 0
  certs
  cat >>"$DATA/cassandra.yaml" <<CFG
client_encryption_options:
  enabled: true
  optional: $optional
  keystore: $DATA/server.p12
  keystore_password: changeit
  truststore: $DATA/ca.p12
  truststore_password: changeit
  store_type: PKCS12
  require_client_auth: $mutual
CFG
}

jvm_opens() {                                      # what conf/jvm17-server.options of the distribution asks for
  local x
  for x in java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch java.base/java.lang.ref \
    java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.sql/java.sql jdk.unsupported/sun.misc; do
    printf -- '--add-exports=%s=ALL-UNNAMED ' "$x"; done
  for x in java.base/java.lang.module java.base/jdk.internal.loader java.base/jdk.internal.ref java.base/jdk.internal.reflect \
    java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.util.jar jdk.management/com.sun.management.internal \
    java.base/sun.nio.ch java.base/java.io java.base/java.nio java.base/java.util java.base/java.util.concurrent \
    java.base/java.util.concurrent.atomic java.base/java.lang java.base/java.lang.reflect java.base/java.math java.base/java.net java.rmi/sun.rmi.transport.tcp; do
    printf -- '--add-opens=%s=ALL-UNNAMED ' "$x"; done
}

start() {
  install
  mkdir -p "$DATA"; exec 9>"$DATA/.lock"; flock -w 180 9 || die "another cassandra.sh works on $DATA"
  if alive && listening "$PORT"; then return 0; fi
  if listening "$PORT" || listening "$((PORT + 1))"; then die "port $PORT or $((PORT + 1)) is taken by something else"; fi
  configure
  cat >"$DATA/logback.xml" <<'CFG'
<configuration><appender name="OUT" class="ch.qos.logback.core.ConsoleAppender"><encoder>
<pattern>%-5level %date{HH:mm:ss.SSS} %logger{0}:%line - %msg%n</pattern></encoder></appender>
<root level="INFO"><appender-ref ref="OUT"/></root></configuration>
CFG
  : >"$DATA/node.log"
  # shellcheck disable=SC2046
  setsid java -Dmillrace.data="$DATA" -ea -Xms"$HEAP" -Xmx"$HEAP" -Xss256k -XX:+UseG1GC -XX:MaxDirectMemorySize=256m -XX:+ExitOnOutOfMemoryError \
    -javaagent:"$(echo "$LIB"/lib/jamm-*.jar)" -Djdk.attach.allowAttachSelf=true $(jvm_opens) \
    -Dcassandra.config="file://$DATA/cassandra.yaml" -Dcassandra.storagedir="$DATA" -Dcassandra.logdir="$DATA" \
    -Dlogback.configurationFile="$DATA/logback.xml" -Djava.io.tmpdir="$DATA" -Dcassandra-foreground=yes \
    -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=100 -Dcassandra.superuser_setup_delay_ms=0 \
    -cp "$LIB/lib/*" org.apache.cassandra.service.CassandraDaemon 9>&- >"$DATA/node.log" 2>&1 </dev/null &
  echo $! >"$DATA/cassandra.pid"; disown
  for _ in $(seq 720); do
    kill -0 "$(cat "$DATA/cassandra.pid")" 2>/dev/null || { tail -20 "$DATA/node.log" >&2; die "the node died"; }
    if grep -q 'Starting listening for CQL clients' "$DATA/node.log" && listening "$PORT"; then
      if [ "$(cat "$DATA/.auth")" = 0 ] || [ -e "$DATA/.role" ]; then return 0; fi
      if grep -q "Created default superuser role" "$DATA/node.log"; then touch "$DATA/.role"; return 0; fi
    fi
    sleep 0.25
  done
  die "the node is not ready after 180 s, see $DATA/node.log"
}

stop() { end_process "$DATA/cassandra.pid" "$@"; }  # [SIGNAL]

client() {                                         # client [STMT...] | client --load STMT FILE: without either, the check
  python - "$PORT" "$DATA" "$(cat "$DATA/.auth")" "$TLS" "$@" <<'PYTHON'
import json, ssl, sys, time, uuid
from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
from cassandra.auth import PlainTextAuthProvider
from cassandra.policies import WhiteListRoundRobinPolicy
port, data, auth, tls, stmts = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]
ctx = None
if tls != 'off':
    ctx = ssl.create_default_context(cafile=data + '/ca.pem'); ctx.check_hostname = False
    if tls == 'mutual': ctx.load_cert_chain(data + '/client.crt', data + '/client.key')
cl = Cluster(['127.0.0.1'], port=port, ssl_context=ctx, connect_timeout=20,
             auth_provider=PlainTextAuthProvider('cassandra', 'cassandra') if auth == '1' else None,
             execution_profiles={EXEC_PROFILE_DEFAULT: ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy(['127.0.0.1']), request_timeout=30)})
s = cl.connect()
if stmts[:1] == ['--load']:
    from cassandra.concurrent import execute_concurrent_with_args
    insert = s.prepare(stmts[1])
    execute_concurrent_with_args(s, insert, [json.loads(line) for line in open(stmts[2])], concurrency=200)
elif stmts:
    for text in stmts:
        for st in filter(str.strip, text.split(';')):
            for r in s.execute(st): print(json.dumps(r._asdict(), default=str))
else:
    v = s.execute('SELECT release_version, native_protocol_version FROM system.local').one()
    ks = 'chk_' + uuid.uuid4().hex[:8]
    s.execute("CREATE KEYSPACE %s WITH replication = {'class':'SimpleStrategy','replication_factor':1}" % ks)
    s.execute('CREATE TABLE %s.t (k text, n int, v bigint, PRIMARY KEY (k, n))' % ks)
    p = s.prepare('INSERT INTO %s.t (k, n, v) VALUES (?, ?, ?)' % ks)
    t = time.time()
    for f in [s.execute_async(p, ('a', i, i * i)) for i in range(1000)]: f.result()
    dt = time.time() - t
    assert sum(r.v for r in s.execute("SELECT v FROM %s.t WHERE k='a'" % ks)) == sum(i * i for i in range(1000))
    lwt = [s.execute("INSERT INTO %s.t (k, n, v) VALUES ('b', 1, 1) IF NOT EXISTS" % ks).one().applied for _ in range(2)]
    assert lwt == [True, False], lwt
    s.execute('DROP KEYSPACE ' + ks)
    print('cassandra %s ok: protocol v%s (negotiated v%d), auth=%s, tls=%s, 1000 prepared async inserts in %.2f s, LWT ok'
          % (v.release_version, v.native_protocol_version, cl.protocol_version, auth, tls, dt))
cl.shutdown()
PYTHON
}

cmd=${1:-}; shift || true
args=()
while [ $# -gt 0 ]; do
  case $1 in
    --port) PORT=$2; shift 2 ;; --data) DATA=$2; shift 2 ;; --heap) HEAP=$2; shift 2 ;;
    --auth) AUTH=1; shift ;; --tls) TLS=$2; shift 2 ;; *) args+=("$1"); shift ;;
  esac
done
DATA=${DATA:-${TMPDIR:-/tmp}/millrace-cassandra-$PORT}; [[ $DATA = /* ]] || DATA=$PWD/$DATA
case $cmd in
  install) install ;; start) start ;; stop) stop ;; kill) stop KILL ;; status) alive && listening "$PORT" ;;
  cql) client "${args[@]}" ;; load) client --load "${args[@]}" ;; check) client ;;
  *) sed -n '2,/^set -e/{/^#/p}' "$0"; exit 2 ;;
esac
