# Uploads that end early. Sourced by bad_input.sh.
# shellcheck shell=bash disable=SC2154

leftovers() { find "$cluster_dir/driver/artifacts" -name '*.part' | wc -l; }
no_leftovers() { (($(leftovers) == 0)); }

begin "an upload that is ended before all bytes are sent"
before=$(live_jobs)
expect 0 DATA_LOSS 'the upload ended after 100000 of' 'Submit again' -- \
  "$peer" short-upload "$MILLRACE_DRIVER" "$MILLRACE_TLS_DIR"/{ca.crt,client.crt,client.key} "$good" 100000
[[ $(live_jobs) == "$before" ]] || bad "there are other jobs than before"
wait_until 5 no_leftovers || bad "the driver keeps $(leftovers) unfinished uploads"
grep -q 'the upload ended after 100000 of' "$cluster_dir/driver.log" || bad "the driver's log does not tell"
end

# Passes a connection on to the driver and cuts it when so many bytes have gone there.
cat > "$work/cut.py" << 'PYTHON'
import socket, sys, threading
port, limit = int(sys.argv[1]), int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)

def pump(source, target, budget):
    try:
        while budget > 0 and (data := source.recv(4096)):
            target.sendall(data[:budget])
            budget -= len(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

while True:
    client, _ = listener.accept()
    driver = socket.create_connection(("127.0.0.1", port))
    threading.Thread(target=pump, args=(client, driver, limit), daemon=True).start()
    threading.Thread(target=pump, args=(driver, client, 1 << 40), daemon=True).start()
PYTHON

begin "a connection that breaks in the middle of an upload"
before=$(live_jobs)
python3 "$work/cut.py" "${MILLRACE_DRIVER##*:}" 200000 > "$work/cut.port" &
cutter=$!
at_end+=("kill $cutter")
wait_until 5 test -s "$work/cut.port"
expect 7 submit -- millrace --driver "127.0.0.1:$(cat "$work/cut.port")" submit "$good" --name cut
kill "$cutter"
[[ $(live_jobs) == "$before" ]] || bad "there are other jobs than before"
wait_until 5 no_leftovers || bad "the driver keeps $(leftovers) unfinished uploads"
end
