#!/usr/bin/env bash
# Certificates for a development cluster: a CA, the driver, the intermediate CA with which the driver signs its runners' certificates,
# executors, and one client. Run again at any time: what is valid is kept, what is missing, wrong or about to expire (within a day) is
# made anew. Not for production: there the CA's key belongs elsewhere.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: dev_certs.sh DIR [--cluster NAME] [--executors N] [--days D]

  DIR             where the files go; made if it is missing
  --cluster NAME  the cluster's name in spiffe://NAME/ROLE/ID     (default: dev)
  --executors N   how many executors: executor-1 to executor-N    (default: 2)
  --days D        lifetime of the certificates, at least 2        (default: 365)

Makes DIR/{ca,driver,runner-issuer,executor-1…,client}.{crt,key}.
USAGE
}

fail() {
  echo "dev_certs.sh: $1" >&2
  exit 2
}

dir=''
cluster=dev
executors=2
days=365
while (($# > 0)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --cluster | --executors | --days)
      (($# > 1)) || fail "$1 needs a value"
      declare "${1#--}=$2"
      shift
      ;;
    -*) fail "unknown option $1 (--help lists them)" ;;
    *)
      [[ -z $dir ]] || fail "one directory, please: '$dir' or '$1'?"
      dir=$1
      ;;
  esac
  shift
done
if [[ -z $dir ]]; then
  usage >&2
  exit 2
fi
[[ $cluster =~ ^[A-Za-z0-9._-]+$ ]] || fail "--cluster '$cluster': letters, digits, '.', '_' and '-' only"
[[ $executors =~ ^[0-9]{1,4}$ ]] || fail "--executors '$executors': a number up to 9999"
if [[ ! $days =~ ^[0-9]{1,5}$ ]] || ((10#$days < 2)); then fail "--days '$days': a number from 2"; fi
executors=$((10#$executors))
days=$((10#$days))
command -v openssl > /dev/null || fail "needs the openssl command (package openssl)"

umask 077
mkdir -p "$dir"
work=$(mktemp -d "$dir/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Runs openssl and shows what it said only if it failed.
run_openssl() {
  openssl "$@" 2> "$work/log" || {
    cat "$work/log" >&2
    echo "dev_certs.sh: openssl $1 failed" >&2
    exit 1
  }
}

matches_key() {  # NAME
  local public
  public=$(openssl x509 -in "$dir/$1.crt" -noout -pubkey 2> /dev/null) &&
    [[ $public == "$(openssl pkey -in "$dir/$1.key" -pubout 2> /dev/null)" ]]
}

# Whether NAME.crt and NAME.key are there, belong together, will last another day, come from our CA, and carry TEXT.
is_good() {  # NAME TEXT
  [[ -f $dir/$1.crt && -f $dir/$1.key ]] &&
    openssl x509 -in "$dir/$1.crt" -noout -checkend 86400 > /dev/null 2>&1 &&
    openssl verify -CAfile "$dir/ca.crt" "$dir/$1.crt" > /dev/null 2>&1 &&
    matches_key "$1" &&
    openssl x509 -in "$dir/$1.crt" -noout -text 2> /dev/null | grep -qE "$2"
}

install_pair() {  # NAME
  chmod 600 "$work/$1.key"
  chmod 644 "$work/$1.crt"
  mv -f "$work/$1.key" "$dir/$1.key"
  mv -f "$work/$1.crt" "$dir/$1.crt"
}

report() {  # WHAT NAME
  printf '%-5s %-24s %-36s until %s\n' "$1" "$2.{crt,key}" "$3" \
    "$(openssl x509 -in "$dir/$2.crt" -noout -enddate | cut -d= -f2)"
}

new_key() {  # NAME
  run_openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$1.key"
}

make_ca() {
  if is_good ca 'CA:TRUE'; then
    report kept ca 'the CA'
    return
  fi
  new_key ca
  run_openssl req -x509 -new -key "$work/ca.key" -sha256 -days "$((days > 3650 ? days + 1 : 3650))" \
    -subj "/CN=Millrace development CA $(openssl rand -hex 3)" -out "$work/ca.crt" \
    -addext 'basicConstraints=critical,CA:TRUE,pathlen:1' -addext 'keyUsage=critical,keyCertSign,cRLSign'
  install_pair ca
  report made ca 'the CA'
}

sign() {  # NAME SUBJECT: with the extensions in $work/NAME.ext
  new_key "$1"
  run_openssl req -new -key "$work/$1.key" -subj "/CN=$2" -out "$work/$1.csr"
  run_openssl x509 -req -in "$work/$1.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -sha256 -days "$days" \
    -set_serial "0x01$(openssl rand -hex 15)" -extfile "$work/$1.ext" -out "$work/$1.crt"
  install_pair "$1"
}

make_leaf() {  # NAME ROLE ID
  local uri="spiffe://$cluster/$2/$3"
  if is_good "$1" "URI:${uri//./\\.}\$"; then
    report kept "$1" "$uri"
    return
  fi
  cat > "$work/$1.ext" <<EXTENSIONS
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth,serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = URI:$uri
EXTENSIONS
  sign "$1" "Millrace $2 $3"
  report made "$1" "$uri"
}

make_runner_issuer() {
  if is_good runner-issuer 'CA:TRUE, pathlen:0'; then
    report kept runner-issuer "intermediate CA for the runners"
    return
  fi
  cat > "$work/runner-issuer.ext" <<'EXTENSIONS'
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
EXTENSIONS
  sign runner-issuer "Millrace runner issuer"
  report made runner-issuer "intermediate CA for the runners"
}

make_ca
make_leaf driver driver driver-1
make_runner_issuer
for ((n = 1; n <= executors; ++n)); do make_leaf "executor-$n" executor "executor-$n"; done
make_leaf client client client-1
echo "The client's side is used with:  export MILLRACE_TLS_DIR=$(cd "$dir" && pwd)"
