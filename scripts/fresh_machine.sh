#!/usr/bin/env bash
# Proves the README's two commands on a bare Debian bookworm: makes one in a folder with debootstrap, copies the tree into it, and runs
#   scripts/quickstart.sh --seconds 5      and      scripts/test.sh
# there, as root, in namespaces of its own for processes and mounts. Needs root and debootstrap, half an hour and about 6 GB.
#
#   scripts/fresh_machine.sh [--dir D] [--keep] [--only quickstart|test] [--mirror URL]
#
#   --dir D      where the machine is made, a folder that does not exist yet (default: a new one under $TMPDIR)
#   --keep       leave it there
#   --mirror URL of Debian (default: the first one that this machine's apt uses)
# The machine gets this one's apt configuration, certificates and proxy settings, for it has to fetch packages the same way. With
# MILLRACE_REQUIRE_SERVERS=1 in the environment, skipped tests are failures there, too.
# Ends with RESULT fresh_machine quickstart= test=     (ok, failed, or not_run)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

dir='' keep=0 only='' mirror=''
while (($# > 0)); do
  case $1 in
    --dir) dir=${2:?} && shift ;;
    --keep) keep=1 ;;
    --only) only=${2:?} && shift ;;
    --mirror) mirror=${2:?} && shift ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done

fail() {
  echo "fresh_machine.sh: $1" >&2
  exit 1
}
((EUID == 0)) || fail "needs root, for debootstrap and chroot"
command -v debootstrap > /dev/null || fail "needs debootstrap (apt-get install debootstrap)"
if [[ -n $dir ]]; then
  [[ ! -e $dir ]] || fail "$dir exists"
  mkdir -p "$dir"
else
  dir=$(mktemp -d "${TMPDIR:-/tmp}/millrace-fresh.XXXXXX")
fi
chmod 755 "$dir"  # it becomes /, which every user of the machine has to pass
# Mounts live in namespaces that end with the commands below, so nothing of this machine can be under the folder here.
clean_up() {
  if ((keep == 0)); then rm -rf --one-file-system "$dir"; fi
}
trap clean_up EXIT

first_mirror() {
  local uri
  # shellcheck disable=SC2016  # apt's own variables
  uri=$(apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(REPO_URI)' 2> /dev/null \
    | awk '$1 == "Packages" && $2 == "bookworm" {print $3; exit}')
  [[ -n $uri ]] || fail "this machine's apt names no mirror of bookworm; say --mirror URL"
  echo "$uri"
}

copy_if_there() {  # PATH...
  local path
  for path in "$@"; do
    if [[ -e $path ]]; then
      mkdir -p "$dir$(dirname "$path")"
      cp -aL "$path" "$dir$(dirname "$path")/"
    fi
  done
}

echo "== a bare bookworm in $dir"
debootstrap --variant=minbase bookworm "$dir" "${mirror:-$(first_mirror)}" > "$dir.log" 2>&1 || {
  tail -n 20 "$dir.log" >&2
  fail "debootstrap failed; see $dir.log"
}
rm -f "$dir.log"
echo "$(chroot "$dir" dpkg-query -f '.\n' -W | wc -l) packages"

# How this machine reaches the network. Configuration files are copied, never shown.
rm -rf "$dir/etc/apt/sources.list" "$dir/etc/apt/sources.list.d"
copy_if_there /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf /etc/apt/apt.conf.d /etc/apt/auth.conf.d \
  /etc/apt/trusted.gpg.d /etc/apt/keyrings /usr/share/keyrings /etc/ssl/certs /usr/local/share/ca-certificates /etc/resolv.conf /etc/hosts
if [[ -f $HOME/.m2/settings.xml ]]; then copy_if_there "$HOME/.m2/settings.xml"; fi
if [[ -f /etc/maven/settings.xml && ! -f $dir/root/.m2/settings.xml ]]; then
  install -D -m 600 /etc/maven/settings.xml "$dir/root/.m2/settings.xml"
fi

mkdir -p "$dir/root/millrace"
git ls-files -z -co --exclude-standard | tar -c --null -T - | tar -x -C "$dir/root/millrace" --no-same-owner

passed_on=()
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE MAVEN_OPTS \
  MILLRACE_REQUIRE_SERVERS; do
  if [[ -n ${!name:-} ]]; then passed_on+=("$name=${!name}"); fi
done

# A command inside, with its own process ids, so that whatever it leaves running ends with it.
inside() {  # COMMAND
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child bash -euc '
    mount --make-rprivate /
    mount -t proc proc "$1/proc"
    mount -t sysfs -o ro sysfs "$1/sys"
    mount -t tmpfs -o mode=755 dev "$1/dev"
    for node in null zero full random urandom tty; do touch "$1/dev/$node"; mount --bind "/dev/$node" "$1/dev/$node"; done
    mkdir "$1/dev/shm" "$1/dev/pts"
    mount -t tmpfs shm "$1/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
    ln -s pts/ptmx "$1/dev/ptmx"
    ln -s /proc/self/fd "$1/dev/fd"
    ln -s /proc/self/fd/0 "$1/dev/stdin"; ln -s /proc/self/fd/1 "$1/dev/stdout"; ln -s /proc/self/fd/2 "$1/dev/stderr"
    shift
    exec "$@"' bash "$dir" \
    chroot "$dir" /usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "${passed_on[@]}" bash -c "cd /root/millrace && $1"
}

quickstart=not_run test=not_run
if [[ -z $only || $only == quickstart ]]; then
  echo "== scripts/quickstart.sh --seconds 5"
  if inside 'scripts/quickstart.sh --seconds 5'; then quickstart=ok; else quickstart=failed; fi
fi
if [[ -z $only || $only == test ]]; then
  echo "== scripts/test.sh"
  if inside 'scripts/test.sh'; then test=ok; else test=failed; fi
fi
echo "RESULT fresh_machine quickstart=$quickstart test=$test"
[[ $quickstart != failed && $test != failed ]]
