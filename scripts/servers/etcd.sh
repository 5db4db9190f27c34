#!/usr/bin/env bash
# etcd.sh - a real etcd (Debian's etcd-server, 3.4.23) on 127.0.0.1: one node or a 3-node cluster, for tests and benchmarks.
#
#   etcd.sh install                apt-get install etcd-server etcd-client if they are missing
#   etcd.sh start  [options]       start (one member with --member I), wait until healthy (no-op if up)
#   etcd.sh stop|kill [options]    TERM (then KILL after 10 s) | kill -9; all members, or --member I
#   etcd.sh pause|resume --member I   SIGSTOP | SIGCONT: a member that hangs without closing its connections
#   etcd.sh status [options]       exit 0 if every member is up and healthy
#   etcd.sh ctl    [options] ARGS...   etcdctl (v3) on all members with the right certificates
#   etcd.sh env    [options]       print ENDPOINTS= (and CA=, CERT=, KEY= with --tls) for a program's use
#   etcd.sh check  [options]       prove that it works: put, get, txn, lease, watch, JSON gateway
# Options (each has an environment variable):
#   --port N     ETCD_PORT  12379  member I (0..) serves clients on N+2*I and peers on N+2*I+1
#   --data DIR   ETCD_DATA  ${TMPDIR:-/tmp}/millrace-etcd-$PORT   per member: mI/ (data), mI.log, mI.pid; certificates
#   --nodes K    ETCD_NODES 1|3|5
#   --tls        ETCD_TLS=1        TLS for clients, client certificate required. Files in $ETCD_DATA: ca.pem, client.crt,
#                                  client.key (DNS:localhost, IP:127.0.0.1). Peers stay plain on the loopback.
# nodes and tls are fixed when the data dir is made. ETCD_ARGS: more etcd flags (e.g. "--heartbeat-interval=50 --election-timeout=500").
# Needs: bash, openssl (only --tls), curl (only check).
set -euo pipefail

PORT=${ETCD_PORT:-12379} DATA=${ETCD_DATA:-} NODES=${ETCD_NODES:-1} TLS=${ETCD_TLS:-0} MEMBER=
unset ETCD_PORT ETCD_DATA ETCD_NODES ETCD_TLS      # etcd itself reads ETCD_* variables
ARGS=${ETCD_ARGS:-}; unset ETCD_ARGS
# shellcheck source=scripts/servers/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install() {
  if command -v etcd >/dev/null && command -v etcdctl >/dev/null; then return 0; fi
  [ "$(id -u)" = 0 ] || die "etcd-server and etcd-client are needed (apt-get install)"
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends etcd-server etcd-client >&2 || die "apt-get failed (apt-get update first?)"
}

scheme() { if [ "$TLS" = 1 ]; then echo https; else echo http; fi; }
endpoints() { local i s=; for ((i = 0; i < NODES; i++)); do s+=",$(scheme)://127.0.0.1:$((PORT + 2 * i))"; done; echo "${s#,}"; }
ctl() {
  local e=(--endpoints="${EP:-$(endpoints)}")
  [ "$TLS" = 1 ] && e+=(--cacert="$DATA/ca.pem" --cert="$DATA/client.crt" --key="$DATA/client.key")
  ETCDCTL_API=3 ${WRAP:-} etcdctl "${e[@]}" "$@"
}
alive() { local p; p=$(cat "$DATA/m$1.pid" 2>/dev/null) || return 1
          [ -n "$p" ] && tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline" | grep -qF -- "--data-dir=$DATA/m$1 "; }
members() { if [ -n "$MEMBER" ]; then echo "$MEMBER"; else seq 0 $((NODES - 1)); fi; }
healthy() { EP="$(scheme)://127.0.0.1:$((PORT + 2 * $1))" ctl --command-timeout=2s endpoint health >/dev/null 2>&1; }

certs() {                                          # a throw-away CA, server and client certificates
  [ -e "$DATA/client.crt" ] && return 0
  make_certs server client || die "openssl failed, see $DATA/certs.log"
}

start() {
  install
  mkdir -p "$DATA"; exec 9>"$DATA/.lock"; flock -w 120 9 || die "another etcd.sh works on $DATA"
  local i j n cluster='' t=() new=()
  [ -e "$DATA/.shape" ] || echo "$NODES $TLS" >"$DATA/.shape"
  [ "$(cat "$DATA/.shape")" = "$NODES $TLS" ] || die "$DATA was made with other --nodes/--tls ($(cat "$DATA/.shape"))"
  if [ "$TLS" = 1 ]; then certs; t=(--cert-file="$DATA/server.crt" --key-file="$DATA/server.key" --trusted-ca-file="$DATA/ca.pem" --client-cert-auth); fi
  for ((j = 0; j < NODES; j++)); do cluster+=",m$j=http://127.0.0.1:$((PORT + 2 * j + 1))"; done
  for i in $(members); do
    alive "$i" && continue
    n=$((PORT + 2 * i)); if listening $n || listening $((n + 1)); then die "port $n or $((n + 1)) is taken by something else"; fi
    # shellcheck disable=SC2086
    etcd --name="m$i" --data-dir="$DATA/m$i" --listen-client-urls="$(scheme)://127.0.0.1:$n" --advertise-client-urls="$(scheme)://127.0.0.1:$n" \
      --listen-peer-urls="http://127.0.0.1:$((n + 1))" --initial-advertise-peer-urls="http://127.0.0.1:$((n + 1))" \
      --initial-cluster="${cluster#,}" --initial-cluster-token="millrace-$PORT" --initial-cluster-state=new \
      --logger=zap --log-level=warn --auto-compaction-retention=1 "${t[@]}" $ARGS 9>&- >>"$DATA/m$i.log" 2>&1 </dev/null &
    echo $! >"$DATA/m$i.pid"; disown; new+=("$i")
  done
  for i in "${new[@]}"; do
    for ((j = 0; j < 150; j++)); do
      kill -0 "$(cat "$DATA/m$i.pid")" 2>/dev/null || { tail -5 "$DATA/m$i.log" >&2; die "member $i died"; }
      healthy "$i" && continue 2; sleep 0.1
    done
    die "member $i is not healthy, see $DATA/m$i.log"
  done
}

stop() {                                           # stop [SIGNAL]
  local i p j
  for i in $(members); do if alive "$i"; then kill "-${1:-TERM}" "$(cat "$DATA/m$i.pid")"; fi; done
  for i in $(members); do
    p=$(cat "$DATA/m$i.pid" 2>/dev/null || true); [ -n "$p" ] || continue
    for ((j = 0; j < 100; j++)); do alive "$i" || break; sleep 0.1; done
    if alive "$i"; then kill -9 "$p" || true; fi
    rm -f "$DATA/m$i.pid"
  done
}

check() {
  local k=chk$RANDOM lease c=(); [ "$TLS" = 1 ] && c=(--cacert "$DATA/ca.pem" --cert "$DATA/client.crt" --key "$DATA/client.key")
  ctl put $k v1 >/dev/null; [ "$(ctl get $k --print-value-only)" = v1 ] || die "get"
  [ "$(printf 'create("%s-leader") = "0"\n\nput %s-leader me\n\nget %s-leader\n\n' $k $k $k | ctl txn | head -1)" = SUCCESS ] || die "txn"
  [ "$(printf 'create("%s-leader") = "0"\n\nput %s-leader you\n\nget %s-leader\n\n' $k $k $k | ctl txn | head -1)" = FAILURE ] || die "txn must fail"
  lease=$(ctl lease grant 2 | awk '{print $2}'); ctl put --lease="$lease" $k-l x >/dev/null
  for _ in $(seq 100); do [ -z "$(ctl get $k-l --keys-only)" ] && break; sleep 0.1; done
  ( set +o pipefail; WRAP="timeout 1" ctl watch --rev=1 $k-l 2>/dev/null | grep -q DELETE ) || die "the watch saw no lease expiry"
  curl -fsS "${c[@]}" "$(scheme)://127.0.0.1:$PORT/v3/kv/range" -d "{\"key\":\"$(printf %s "$k" | base64)\"}" | grep -q "$(printf v1 | base64)" || die "JSON gateway"
  ctl del --prefix $k >/dev/null
  echo "etcd $(etcd --version | sed -n 's/etcd Version: //p') ok: nodes=$NODES tls=$TLS put, get, txn, lease expiry seen by watch, JSON gateway"
}

cmd=${1:-}; shift || true
args=()
while [ $# -gt 0 ]; do
  case $1 in
    --port) PORT=$2; shift 2 ;; --data) DATA=$2; shift 2 ;; --nodes) NODES=$2; shift 2 ;; --member) MEMBER=$2; shift 2 ;;
    --tls) TLS=1; shift ;; *) args+=("$1"); shift ;;
  esac
done
DATA=${DATA:-${TMPDIR:-/tmp}/millrace-etcd-$PORT}; [[ $DATA = /* ]] || DATA=$PWD/$DATA
if [ -e "$DATA/.shape" ]; then read -r NODES TLS <"$DATA/.shape"; fi   # the data dir knows its shape
signal() { if [ -z "$MEMBER" ] || ! alive "$MEMBER"; then die "--member I of a running member"; fi; kill "-$1" "$(cat "$DATA/m$MEMBER.pid")"; }
case $cmd in
  install) install ;; start) start ;; stop) stop ;; kill) stop KILL ;; pause) signal STOP ;; resume) signal CONT ;;
  status) for i in $(members); do alive "$i" && healthy "$i" || exit 1; done ;;
  ctl) ctl "${args[@]}" ;; check) check ;;
  env) echo "ENDPOINTS=$(endpoints)"; [ "$TLS" = 0 ] || printf 'CA=%s/ca.pem\nCERT=%s/client.crt\nKEY=%s/client.key\n' "$DATA" "$DATA" "$DATA" ;;
  *) sed -n '2,/^set -e/{/^#/p}' "$0"; exit 2 ;;
esac
