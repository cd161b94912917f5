#!/usr/bin/env bash
# All tests: lint, native tests (plain, address + undefined, thread sanitizer), unit, integration (some of them again with an
# injector that has address + undefined), guests. As root on Debian it installs what only the tests need; otherwise tests that
# miss something are skipped with their reason.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  # build and lint of the native tests; headers that our declaration of verbs is compared with
  libgtest-dev clang-format libibverbs-dev
  # namespaces, traffic, independent readings
  bpftool ethtool iproute2 nftables procps python3 strace systemd
  # workloads whose numbers are known, and a terminal for the live screen
  iperf3 stress-ng tmux
  # another C library; a Go program; programs that use io_uring
  musl-tools fzf liburing-dev
  # servers and their clients, and Python's own tests of sockets
  curl haproxy libmemcached-tools lighttpd memcached nginx openssl postgresql redis-server redis-tools sockperf wrk
  libpython3.11-testsuite
  # what another tuner is made with: it is not installed itself, it would tune this host
  python3-dbus python3-gi python3-linux-procfs python3-pyudev
  # packages in a bare tree
  binutils debootstrap
  # the command on a terminal, its manual page and its XML
  bsdutils libxml2-utils man-db
  # guests with other hardware, under emulation
  busybox-static cpio ibverbs-providers ibverbs-utils kmod libibverbs1 qemu-system-x86
)
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  if [ "${#missing[@]}" -gt 0 ]; then
    apt-get update -qq
    # Servers that come with the packages are not started: whoever would start one asks this first (invoke-rc.d(8)).
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      trap 'rm -f "$policy"' EXIT
      printf '#!/bin/sh\nexit 101\n' > "$policy"
      chmod 755 "$policy"
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    [ -z "$(trap -p EXIT)" ] || { rm -f "$policy"; trap - EXIT; }
  fi
fi

[ -d node_modules ] || npm ci --ignore-scripts
npm run build
npm run lint

# What runs beside the rest is a process group each, which can be ended with all that it started.
mkdir -p build
set -m
trap '[ -z "$(jobs -p)" ] || kill -- $(jobs -p | sed "s/^/-/") 2>/dev/null || true' EXIT

# Guests take minutes, on less than one processor; they are shown at the end.
node_modules/.bin/vitest run --project guest > build/guest-tests.log 2>&1 &
guests=$!

# Compilers work while tests in namespaces wait, and while the native tests of the tree before do. The plain tests are built
# into the release tree, which has all else already.
native_tests() {
  set -e
  cmake --preset release -D SOCKDOC_TESTS=ON --log-level=WARNING > build/cmake-release.log
  local preset status=0
  local -A running
  for preset in release asan tsan; do
    nice node scripts/build-native.mjs "$preset"
    # As with the other tests: on a shared machine one that fails is run once more, and shown.
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --parallel 2 ${CI:+--repeat until-pass:2} \
      > "build/ctest-$preset.log" 2>&1 &
    running[$preset]=$!
    [ "$preset" = asan ] || continue
    node_modules/.bin/vitest run --project sanitised > build/sanitised-tests.log 2>&1 &
    running[sanitised]=$!
  done
  for preset in release asan tsan; do
    wait "${running[$preset]}" || status=$?
    echo "native tests ($preset):"
    grep -vE '^ *Start +[0-9]+:| Passed +[0-9.]+ sec$|^Internal|^$' "build/ctest-$preset.log"
  done
  wait "${running[sanitised]}" || status=$?
  cat build/sanitised-tests.log
  return "$status"
}
native_tests > build/native-tests.log 2>&1 &
native=$!

failed=()
npx vitest run --project unit --project integration 2>&1 | tee build/tests.log || failed+=(tests)
wait "$native" || failed+=(native-tests)
cat build/native-tests.log
# The host's counters are shared: beside these run no others but the guests.
npx vitest run --project host 2>&1 | tee build/host-tests.log || failed+=(host-tests)
wait "$guests" || failed+=(guest-tests)
cat build/guest-tests.log

# Whoever reads only the end of a long output sees there what failed.
[ "${#failed[@]}" -gt 0 ] || exit 0
for name in "${failed[@]}"; do
  printf '\nFAILED: %s, in build/%s.log, which ends with\n\n' "$name" "$name"
  tail -n 60 "build/$name.log"
done
exit 1
