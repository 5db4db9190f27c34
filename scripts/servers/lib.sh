# Shared by the scripts of the servers; sourced, not run. DATA, where it is used, is the caller's data directory.
# shellcheck shell=bash

die() { echo "${0##*/}: $*" >&2; exit 1; }

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# What a pom.xml in the folder names, into its lib/. Registries time out now and then: three tries.
fetch_jars() {  # FOLDER WHAT
  local try
  for try in 1 2 3; do
    mvn -q -B -f "$1/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1/lib" >&2 && return 0
    [ "$try" -lt 3 ] || break
    sleep 5
  done
  rm -rf "$1"; die "mvn could not fetch $2"
}

# Throw-away certificates for localhost in $DATA: ca.pem, and NAME.key and NAME.crt for each name.
make_certs() (  # NAME...
  cd "$DATA" || exit
  exec >certs.log 2>&1
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=millrace test CA" -keyout ca.key -out ca.pem || exit
  printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >san.ext
  for who in "$@"; do
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$who" -keyout "$who.key" -out "$who.csr" || exit
    openssl x509 -req -in "$who.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile san.ext -out "$who.crt" || exit
  done
)

# For servers in Java: NAME.p12 with the server's key, ca.p12 with what is trusted; "changeit" opens both.
make_key_stores() (  # NAME
  cd "$DATA" || exit
  exec >>certs.log 2>&1
  openssl pkcs12 -export -in "$1.crt" -inkey "$1.key" -certfile ca.pem -name "$1" -passout pass:changeit -out "$1.p12" || exit
  keytool -importcert -noprompt -alias ca -file ca.pem -keystore ca.p12 -storetype PKCS12 -storepass changeit
)

# Ends the process of a pidfile whose `alive` the caller defines, and waits for it: 30 s, then with KILL.
end_process() {  # PIDFILE [SIGNAL]
  alive || { rm -f "$1"; return 0; }
  local p; p=$(cat "$1"); kill "-${2:-TERM}" "$p"
  for _ in $(seq 300); do kill -0 "$p" 2>/dev/null || { rm -f "$1"; return 0; }; sleep 0.1; done
  kill -9 "$p" || true; rm -f "$1"
}
