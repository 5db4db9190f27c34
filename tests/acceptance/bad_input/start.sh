# Daemons that cannot start: a port in use, a directory in use, a configuration that is wrong. Sourced by bad_input.sh.
# shellcheck shell=bash disable=SC2154

begin "a port that is in use"
expect 1 driver.listen "$MILLRACE_DRIVER" 'in use' -- "$build_dir/bin/millrace-driver" --config "$cluster_dir/driver.yaml" \
  --set "driver.data_dir=$work/driver-x"
end

begin "a data directory that another driver uses"
expect 1 "$cluster_dir/driver" "$(on_cluster pid driver)" -- "$build_dir/bin/millrace-driver" --config "$cluster_dir/driver.yaml" \
  --set driver.listen=127.0.0.1:0
end

begin "a driver's configuration with an unknown key"
sed 's/^  listen:/  lisen:/' "$cluster_dir/driver.yaml" > "$work/driver.yaml"
expect 3 "$work/driver.yaml:2" lisen "did you mean 'driver.listen'" -- "$build_dir/bin/millrace-driver" --config "$work/driver.yaml"
end

begin "an executor's configuration with an unknown key"
sed 's/^  slots:/  slot:/' "$cluster_dir/executor-1.yaml" > "$work/executor.yaml"
line=$(grep -n '^  slot:' "$work/executor.yaml" | cut -d: -f1)
expect 3 "$work/executor.yaml:$line" slot "did you mean 'executor.slots'" -- "$build_dir/bin/millrace-executor" --config "$work/executor.yaml"
end

begin "a client's configuration with an unknown key"
printf 'driver: %s\ntimeuot: 5s\n' "$MILLRACE_DRIVER" > "$work/client.yaml"
expect 3 "$work/client.yaml:2" timeuot "did you mean 'timeout'" -- millrace --config "$work/client.yaml" list
end

begin "a value that is none"
expect 3 driver.heartbeat_timeout soon -- "$build_dir/bin/millrace-driver" --config "$cluster_dir/driver.yaml" \
  --set driver.heartbeat_timeout=soon
end

begin "a file that is not YAML"
printf 'driver: [1, 2\n' > "$work/driver.yaml"
expect 3 "$work/driver.yaml" YAML -- "$build_dir/bin/millrace-driver" --config "$work/driver.yaml"
end

begin "a driver that is not there"
expect 7 'nothing listens' -- millrace --driver "127.0.0.1:$(free_port)" list
end
