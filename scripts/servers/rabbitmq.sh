#!/usr/bin/env bash
# rabbitmq.sh - a real, private RabbitMQ node (Debian's rabbitmq-server, 3.10.8) on 127.0.0.1, for tests and benchmarks.
#
#   rabbitmq.sh install             apt-get install rabbitmq-server if it is missing
#   rabbitmq.sh start  [options]    install if needed, start, wait until AMQP is served (no-op if up)
#   rabbitmq.sh stop|kill [options] TERM (then KILL after 30 s) | kill -9, of the node and its port mapper
#   rabbitmq.sh pause|resume [options]   SIGSTOP | SIGCONT: a node that hangs without closing its connections
#   rabbitmq.sh status [options]    exit 0 if it is up
#   rabbitmq.sh ctl    [options] ARGS...   rabbitmqctl of that node, e.g. ctl list_queues name messages (1-2 s a call)
# Options (each has an environment variable):
#   --port N     RABBITMQ_AMQP_PORT 15673  AMQP 0-9-1; N+1: AMQPS (--tls), N+2: this node's port mapper, N+3: Erlang distribution
#   --data DIR   RABBITMQ_DATA      ${TMPDIR:-/tmp}/millrace-rabbitmq-$PORT   messages, node.log, rabbitmq.pid, certificates
#   --tls        RABBITMQ_TLS=1     also AMQPS on N+1; a client certificate is verified if one is shown (RABBITMQ_MTLS=1: required).
#                Files in $RABBITMQ_DATA: ca.pem, client.crt, client.key (server: DNS:localhost, IP:127.0.0.1)
# User millrace, password millrace-secret (also in the file $RABBITMQ_DATA/password), administrator, full rights on vhost /.
# After kill -9 durable classic queues still have their confirmed persistent messages; a quorum or stream queue that was made seconds
# before comes back empty and without a leader.
# Needs: bash, openssl (only --tls).
set -euo pipefail

PORT=${RABBITMQ_AMQP_PORT:-15673} DATA=${RABBITMQ_DATA:-} TLS=${RABBITMQ_TLS:-0}
USER_NAME=millrace PASSWORD=millrace-secret BIN=/usr/lib/rabbitmq/bin
# shellcheck source=scripts/servers/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install() {
  if [ -x $BIN/rabbitmq-server ]; then return 0; fi
  [ "$(id -u)" = 0 ] || die "rabbitmq-server is needed (apt-get install)"
  # RUNLEVEL=1: do not start Debian's own system-wide node
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends rabbitmq-server >&2 || die "apt-get failed (apt-get update first?)"
}

set_environment() {                                # everything of this node is private: cookie, port mapper, names, configuration
  unset RABBITMQ_BASE RABBITMQ_CONFIG_FILES RABBITMQ_USE_LONGNAME
  export HOME=$DATA RABBITMQ_NODENAME=millrace-$PORT@localhost RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE=$DATA/rabbitmq.conf \
    RABBITMQ_ADVANCED_CONFIG_FILE=$DATA/none.config RABBITMQ_MNESIA_BASE=$DATA/mnesia RABBITMQ_LOG_BASE=$DATA/log RABBITMQ_LOGS=- \
    RABBITMQ_PID_FILE=$DATA/rabbitmq.pid RABBITMQ_ENABLED_PLUGINS_FILE=$DATA/enabled_plugins RABBITMQ_GENERATED_CONFIG_DIR=$DATA/config \
    RABBITMQ_FEATURE_FLAGS_FILE=$DATA/feature_flags RABBITMQ_DIST_PORT=$((PORT + 3)) ERL_EPMD_PORT=$((PORT + 2)) ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
}
alive() { local p; p=$(cat "$DATA/rabbitmq.pid" 2>/dev/null) || return 1
          [ -n "$p" ] && tr '\0' '\n' 2>/dev/null <"/proc/$p/environ" | grep -qxF "RABBITMQ_PID_FILE=$DATA/rabbitmq.pid"; }

certs() {                                          # a throw-away CA, server and client certificates
  [ -e "$DATA/client.crt" ] && return 0
  make_certs server client || die "openssl failed, see $DATA/certs.log"
}

configure() {
  mkdir -p "$DATA/mnesia" "$DATA/log" "$DATA/config"; echo '[].' >"$DATA/enabled_plugins"
  (umask 077; echo "$PASSWORD" >"$DATA/password")
  cat >"$DATA/rabbitmq.conf" <<CFG
listeners.tcp.1 = 127.0.0.1:$PORT
default_user = $USER_NAME
default_pass = $PASSWORD
loopback_users = none
log.console = true
log.console.level = info
log.file = false
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
num_acceptors.tcp = 4
CFG
  [ "$TLS" = 1 ] || return 0
  certs
  cat >>"$DATA/rabbitmq.conf" <<CFG
listeners.ssl.1 = 127.0.0.1:$((PORT + 1))
ssl_options.cacertfile = $DATA/ca.pem
ssl_options.certfile = $DATA/server.crt
ssl_options.keyfile = $DATA/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = $([ "${RABBITMQ_MTLS:-0}" = 1 ] && echo true || echo false)
CFG
}

start() {
  install
  mkdir -p "$DATA"; exec 9>"$DATA/.lock"; flock -w 120 9 || die "another rabbitmq.sh works on $DATA"
  if alive && listening "$PORT"; then return 0; fi
  if listening "$PORT"; then die "port $PORT is taken by something else"; fi
  configure; set_environment; rm -f "$DATA/rabbitmq.pid"; cd "$DATA"  # core dumps stay there
  if ! listening "$ERL_EPMD_PORT"; then
    epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" 9>&- >"$DATA/epmd.log" 2>&1 </dev/null & echo $! >"$DATA/epmd.pid"; disown
  fi
  $BIN/rabbitmq-server 9>&- >"$DATA/node.log" 2>&1 </dev/null & local sh=$!; disown
  for _ in $(seq 240); do
    if grep -q 'Server startup complete' "$DATA/node.log" && alive && listening "$PORT"; then return 0; fi
    kill -0 "$sh" 2>/dev/null || { tail -20 "$DATA/node.log" >&2; die "the node died"; }
    sleep 0.25
  done
  die "the node is not ready after 60 s, see $DATA/node.log"
}

stop() {                                           # stop [SIGNAL]
  local p
  if alive; then
    p=$(cat "$DATA/rabbitmq.pid"); kill "-${1:-TERM}" "$p"; kill -CONT "$p" 2>/dev/null || true
    for _ in $(seq 120); do kill -0 "$p" 2>/dev/null || break; sleep 0.25; done
    kill -9 "$p" 2>/dev/null || true
  fi
  p=$(cat "$DATA/epmd.pid" 2>/dev/null || true)
  if [ -n "$p" ] && grep -q epmd "/proc/$p/comm" 2>/dev/null; then kill "$p" || true; fi
  rm -f "$DATA/rabbitmq.pid" "$DATA/epmd.pid"
}

signal() { alive || die "it is not running"; kill "-$1" "$(cat "$DATA/rabbitmq.pid")"; }

cmd=${1:-}; shift || true
args=()
while [ $# -gt 0 ]; do
  case $1 in --port) PORT=$2; shift 2 ;; --data) DATA=$2; shift 2 ;; --tls) TLS=1; shift ;; *) args+=("$1"); shift ;; esac
done
DATA=${DATA:-${TMPDIR:-/tmp}/millrace-rabbitmq-$PORT}; [[ $DATA = /* ]] || DATA=$PWD/$DATA
if grep -q '^listeners.ssl' "$DATA/rabbitmq.conf" 2>/dev/null; then TLS=1; fi  # the data directory knows
case $cmd in
  install) install ;; start) start ;; stop) stop ;; kill) stop KILL ;; status) alive && listening "$PORT" ;;
  pause) signal STOP ;; resume) signal CONT ;;
  ctl) set_environment; $BIN/rabbitmqctl -n "$RABBITMQ_NODENAME" "${args[@]}" ;;
  *) sed -n '2,/^set -e/{/^#/p}' "$0"; exit 2 ;;
esac
