#!/usr/bin/env bash
# Installs what Millrace is built with, from Debian alone; with --tests also what its tests need. As root or with sudo, asking
# nothing. Does nothing, and does not touch the network, when all is there.
#
#   scripts/install_deps.sh [--tests]
set -euo pipefail

build_packages=(
  g++ cmake ninja-build pkg-config ccache mold
  libgrpc++-dev libgrpc-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler libabsl-dev
  librdkafka-dev librabbitmq-dev librocksdb-dev libssl-dev libcurl4-openssl-dev libxxhash-dev libyaml-cpp-dev libspdlog-dev libcli11-dev libboost1.81-dev
  liblz4-dev libzstd-dev libsnappy-dev zlib1g-dev
  libmimalloc-dev libthrift-dev thrift-compiler libsqlite3-dev
  libsimdjson-dev libgtest-dev libgmock-dev libbenchmark-dev nlohmann-json3-dev
  openssl ca-certificates procps git jq
)
test_packages=(
  python3 shellcheck clang-format clang-tidy
  zstd                 # tests/acceptance/files.sh packs files with it
  nftables iproute2  # scripts/chaos.sh cuts connections
  openjdk-17-jre-headless maven  # for the real Kafka broker and the real Cassandra
  python3-venv                   # a driver to read Cassandra's tables with
  curl                           # for the real S3 store; the Go that it is built with must be newer than Debian's
)

with_tests=0
for word in "$@"; do
  case $word in
    --tests) with_tests=1 ;;
    -h | --help)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
    *)
      echo "install_deps.sh: '$word' is not understood; there is --tests" >&2
      exit 2
      ;;
  esac
done

wanted=("${build_packages[@]}")
if ((with_tests)); then wanted+=("${test_packages[@]}"); fi

is_installed() {
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null) == installed ]]
}

missing=()
for package in "${wanted[@]}"; do
  is_installed "$package" || missing+=("$package")
done
((${#missing[@]} > 0)) || exit 0

if ! command -v apt-get > /dev/null; then
  echo "install_deps.sh: no apt-get here. Millrace is built on Debian 12; elsewhere install what these hold: ${missing[*]}" >&2
  exit 1
fi
become_root=()
if ((EUID != 0)); then
  command -v sudo > /dev/null || {
    echo "install_deps.sh: not root, and no sudo. As root: apt-get install ${missing[*]}" >&2
    exit 1
  }
  become_root=(sudo "--preserve-env=http_proxy,https_proxy,no_proxy")
fi

echo "installing ${#missing[@]} packages: ${missing[*]}"
apt_get() {
  "${become_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@"
}
apt_get update
apt_get install --no-install-recommends "${missing[@]}"
