# Certificates that are expired, of another CA, or of the wrong role, at both ends of a connection. Sourced by bad_input.sh.
# shellcheck shell=bash disable=SC2154

pki=$MILLRACE_TLS_DIR

# A certificate of our CA whose time is over.
expired_certificate() {  # NAME URI
  mkdir -p "$work/expired"
  cat > "$work/expired/ext" << EXTENSIONS
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth,serverAuth
subjectAltName = URI:$2
EXTENSIONS
  cat > "$work/expired/ca.cnf" << CONFIG
[ca]
default_ca = this
[this]
database = $work/expired/index
new_certs_dir = $work/expired
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
CONFIG
  : > "$work/expired/index"
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout "$work/expired/$1.key" -out "$work/expired/$1.csr" 2> /dev/null
  openssl ca -batch -config "$work/expired/ca.cnf" -cert "$pki/ca.crt" -keyfile "$pki/ca.key" -in "$work/expired/$1.csr" \
    -extfile "$work/expired/ext" -startdate 20200101000000Z -enddate 20200102000000Z -notext \
    -out "$work/expired/$1.crt" 2> "$work/expired/log" || give_up "no expired certificate: $(cat "$work/expired/log")"
  cp "$pki/ca.crt" "$work/expired/ca.crt"
}

# Whether the driver cuts a connection whose peer does not look at its own certificate first. In TLS 1.3 that comes after the
# client's side of the handshake is complete; gRPC's server sends no alert, so all there is to see is the end.
is_cut() {  # CERT KEY
  sleep 1 | timeout 10 openssl s_client -connect "$MILLRACE_DRIVER" -CAfile "$pki/ca.crt" -cert "$1" -key "$2" \
    -alpn h2 -tls1_3 > "$work/said" 2>&1 || true
  grep -qE 'unexpected eof|alert' "$work/said"
}

expired_certificate client spiffe://dev/client/late
expired_certificate executor spiffe://dev/executor/executor-1
"$root/scripts/dev_certs.sh" "$work/other-pki" --executors 1 > /dev/null

begin "a client's certificate that has expired, at the client"
expect 3 expired 2020 "$work/expired/client.crt" -- millrace --tls-dir "$work/expired" list
end

begin "a client's certificate that has expired, at the driver"
is_cut "$work/expired/client.crt" "$work/expired/client.key" || bad "the driver goes on with it"
if is_cut "$pki/client.crt" "$pki/client.key"; then bad "the driver cuts a good client, too"; fi
end

begin "an executor's certificate that has expired"
expect 1 expired 2020 -- "$build_dir/bin/millrace-executor" --config "$cluster_dir/executor-1.yaml" \
  --set "tls.cert=$work/expired/executor.crt" --set "tls.key=$work/expired/executor.key" --set "executor.data_dir=$work/executor-x"
end

begin "a client of another CA"
expect 4 'CA' -- millrace --tls-dir "$work/other-pki" list
end

begin "a client's certificate of another CA, at the client"
expect 3 'does not vouch for' -- millrace --ca "$pki/ca.crt" --cert "$work/other-pki/client.crt" --key "$work/other-pki/client.key" list
end

begin "a client's certificate of another CA, at the driver"
is_cut "$work/other-pki/client.crt" "$work/other-pki/client.key" || bad "the driver goes on with it"
end

begin "an executor of another CA"
timeout 4 "$build_dir/bin/millrace-executor" --config "$cluster_dir/executor-1.yaml" --set "tls.ca=$work/other-pki/ca.crt" \
  --set "tls.cert=$work/other-pki/executor-1.crt" --set "tls.key=$work/other-pki/executor-1.key" \
  --set "executor.data_dir=$work/executor-x" > "$work/said" 2>&1 || true
says 'cannot reach the driver' 'CA'
end

begin "a client with an executor's certificate, at the client"
expect 4 'spiffe://dev/executor/executor-1' 'role client' -- \
  millrace --ca "$pki/ca.crt" --cert "$pki/executor-1.crt" --key "$pki/executor-1.key" list
end

begin "a client with an executor's certificate, at the driver"
expect 0 PERMISSION_DENIED 'Control/ListJobs' executor client -- \
  "$peer" list-jobs "$MILLRACE_DRIVER" "$pki/ca.crt" "$pki/executor-1.crt" "$pki/executor-1.key"
grep 'peer refused' "$cluster_dir/driver.log" > "$work/said" || true
says 'Control/ListJobs'
end

begin "an executor with a client's certificate, at the driver"
expect 0 PERMISSION_DENIED 'Cluster/Executor' client executor -- \
  "$peer" register "$MILLRACE_DRIVER" "$pki/ca.crt" "$pki/client.crt" "$pki/client.key"
grep 'peer refused' "$cluster_dir/driver.log" > "$work/said" || true
says 'Cluster/Executor'
end

begin "an executor with a client's certificate, at the executor"
expect 1 'role client' 'role executor' -- "$build_dir/bin/millrace-executor" --config "$cluster_dir/executor-1.yaml" \
  --set "tls.cert=$pki/client.crt" --set "tls.key=$pki/client.key" --set "executor.data_dir=$work/executor-x"
end

begin "a driver with an executor's certificate"
expect 1 'role executor' 'role driver' -- "$build_dir/bin/millrace-driver" --config "$cluster_dir/driver.yaml" \
  --set "tls.cert=$pki/executor-1.crt" --set "tls.key=$pki/executor-1.key" --set "driver.data_dir=$work/driver-x"
end

begin "a driver with a certificate that is not there"
expect 1 "$work/none.crt" 'No such file' -- "$build_dir/bin/millrace-driver" --config "$cluster_dir/driver.yaml" \
  --set "tls.cert=$work/none.crt" --set "driver.data_dir=$work/driver-x"
end
