#!/usr/bin/env bash
# s3.sh - one real S3-compatible object store (Versity S3 Gateway over a folder) on 127.0.0.1, for tests.
#
#   s3.sh install            build github.com/versity/versitygw with Go into $S3_HOME (once; some minutes; no-op afterwards)
#   s3.sh installed          exit 0 if that was done
#   s3.sh start  [options]   install if needed, start, wait until it answers, make the bucket $S3_BUCKET (no-op if up)
#   s3.sh stop   [options]   TERM, then KILL after 30 s
#   s3.sh kill   [options]   kill -9, as a crash would; `start` brings it back with its objects
#   s3.sh status [options]   exit 0 if it is up
#   s3.sh curl   [options] PATH [curl arguments...]   a signed request, e.g. s3.sh curl /test/k -T FILE
#   s3.sh check  [options]   prove that it works: put, get, range, list, upload in parts, conditions, wrong secret, delete
# Options (each has an environment variable):
#   --port N     S3_PORT  19000
#   --data DIR   S3_DATA  ${TMPDIR:-/tmp}/millrace-s3-$PORT   pidfile (s3.pid), s3.log; objects are plain files in objects/BUCKET/
# S3_ACCESS_KEY millrace, S3_SECRET_KEY millrace-secret-key, S3_REGION us-east-1, S3_BUCKET test.
# Addresses are http://127.0.0.1:PORT/BUCKET/KEY. Debian's curl signs (version 4) but does not send x-amz-content-sha256, on which
# the server insists; query arguments must be sorted, and "uploads=" needs its "=".
# Needs: bash, curl, python3, and the first time Go, 1.21 or newer.
set -euo pipefail

VERSION=${S3_VERSION:-v1.8.0}
S3_HOME=${S3_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-servers/s3}
PORT=${S3_PORT:-19000} DATA=${S3_DATA:-} BUCKET=${S3_BUCKET:-test} REGION=${S3_REGION:-us-east-1}
KEY=${S3_ACCESS_KEY:-millrace} SECRET=${S3_SECRET_KEY:-millrace-secret-key} PROGRAM=$S3_HOME/$VERSION/versitygw
# shellcheck source=scripts/servers/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install() {
  [ -x "$PROGRAM" ] && return 0
  command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin
  command -v go >/dev/null || die "go is needed to build versitygw: 1.21 or newer, which gets what it lacks itself (Debian 12's is too old)"
  mkdir -p "$S3_HOME"; exec 8>"$S3_HOME/.lock"; flock 8
  [ -x "$PROGRAM" ] && { exec 8>&-; return 0; }  # another one has just done it
  local t; t=$(mktemp -d "$S3_HOME/.new.XXXXXX")
  GOBIN=$t GOFLAGS="-ldflags=-s -trimpath" go install "github.com/versity/versitygw/cmd/versitygw@$VERSION" >&2 \
    || { rm -rf "$t"; die "go install failed; Debian 12's Go is too old for it"; }
  rm -rf "${S3_HOME:?}/$VERSION"; mv "$t" "$S3_HOME/$VERSION"; exec 8>&-
}

alive() { local p; p=$(cat "$DATA/s3.pid" 2>/dev/null) || return 1
          [ -n "$p" ] && tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline" | grep -qF -- " $DATA/objects "; }
signed() {
  local path=$1; shift
  curl -sS --noproxy '*' --aws-sigv4 "aws:amz:$REGION:s3" -u "$KEY:$SECRET" -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" \
    "http://127.0.0.1:$PORT$path" "$@"
}

start() {
  install
  mkdir -p "$DATA/objects"; exec 9>"$DATA/.lock"; flock -w 120 9 || die "another s3.sh works on $DATA"
  if alive && listening "$PORT"; then return 0; fi
  listening "$PORT" && die "port $PORT is taken by something else"
  local side=()
  if ! python3 -c "import os,sys; p=sys.argv[1]; os.setxattr(p,'user.millrace',b'1'); os.removexattr(p,'user.millrace')" "$DATA/objects" 2>/dev/null; then
    mkdir -p "$DATA/meta"; side=(--sidecar "$DATA/meta")  # no attributes on this file system
  fi
  ROOT_ACCESS_KEY=$KEY ROOT_SECRET_KEY=$SECRET setsid "$PROGRAM" --port "127.0.0.1:$PORT" --region "$REGION" --keep-alive --quiet \
    posix "${side[@]}" "$DATA/objects" 9>&- >>"$DATA/s3.log" 2>&1 </dev/null &
  echo $! >"$DATA/s3.pid"; disown
  for _ in $(seq 100); do
    kill -0 "$(cat "$DATA/s3.pid")" 2>/dev/null || { tail -20 "$DATA/s3.log" >&2; die "the server died"; }
    if listening "$PORT" && signed / -o /dev/null -f 2>/dev/null; then
      signed "/$BUCKET" -I -f -o /dev/null 2>/dev/null || signed "/$BUCKET" -X PUT -f -o /dev/null || die "no bucket $BUCKET"
      return 0
    fi
    sleep 0.1
  done
  die "the server is not ready after 10 s, see $DATA/s3.log"
}

stop() { end_process "$DATA/s3.pid" "$@"; }  # [SIGNAL]

check() {
  local t b=/$BUCKET k=check$RANDOM id one two code; t=$(mktemp -d)
  ask() { signed "$@" -o "$t/out" -w '%{http_code}'; }
  expect() { [ "$2" = "$3" ] || { cat "$t/out" >&2; rm -rf "$t"; die "$1: got $2, not $3"; }; }
  tag() { tr -d '\r' | sed -n 's/^[Ee][Tt]ag: *//p'; }
  head -c 6000000 /dev/urandom >"$t/big"; echo hello >"$t/small"
  expect put "$(ask "$b/$k/a" -T "$t/small")" 200
  expect get "$(ask "$b/$k/a")" 200; cmp -s "$t/out" "$t/small" || die "other bytes came back"
  expect range "$(ask "$b/$k/a" -H 'Range: bytes=1-3')" 206; expect bytes "$(cat "$t/out")" ell
  expect no-such-key "$(ask "$b/$k/none")" 404
  expect list "$(ask "$b?list-type=2&prefix=$k%2F")" 200; grep -q "<Key>$k/a</Key>" "$t/out" || die "list"
  expect if-none-match "$(ask "$b/$k/a" -H 'If-None-Match: *' -T "$t/small")" 412
  expect if-none-match "$(ask "$b/$k/b" -H 'If-None-Match: *' -T "$t/small")" 200
  expect begin "$(ask "$b/$k/m?uploads=" -X POST)" 200; id=$(sed -n 's/.*<UploadId>\(.*\)<\/UploadId>.*/\1/p' "$t/out")
  one=$(signed "$b/$k/m?partNumber=1&uploadId=$id" -T "$t/big" -D - -o /dev/null | tag)
  two=$(signed "$b/$k/m?partNumber=2&uploadId=$id" -T "$t/small" -D - -o /dev/null | tag)
  code=$(ask "$b/$k/m?uploadId=$id" -X POST -H 'Content-Type: application/xml' --data-binary "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>$one</ETag></Part><Part><PartNumber>2</PartNumber><ETag>$two</ETag></Part></CompleteMultipartUpload>")
  expect complete "$code" 200
  expect get "$(ask "$b/$k/m")" 200; cat "$t/big" "$t/small" | cmp -s - "$t/out" || die "other bytes came back from parts"
  code=$(SECRET=wrong ask "$b/$k/a"); expect wrong-secret "$code" 403
  for id in a b m; do expect delete "$(ask "$b/$k/$id" -X DELETE)" 204; done
  rm -rf "$t"
  echo "versitygw $VERSION works: put, get, range, list, upload in parts, If-None-Match, wrong secret refused, delete"
}

cmd=${1:-}; shift || true
args=()
while [ $# -gt 0 ]; do
  case $1 in --port) PORT=$2; shift 2 ;; --data) DATA=$2; shift 2 ;; *) args+=("$1"); shift ;; esac
done
DATA=${DATA:-${TMPDIR:-/tmp}/millrace-s3-$PORT}; [[ $DATA = /* ]] || DATA=$PWD/$DATA
case $cmd in
  install) install ;; installed) [ -x "$PROGRAM" ] ;; start) start ;; stop) stop ;; kill) stop KILL ;;
  status) alive && listening "$PORT" ;; curl) signed "${args[@]}" ;; check) check ;;
  *) sed -n '2,/^set -e/{/^#/p}' "$0"; exit 2 ;;
esac
