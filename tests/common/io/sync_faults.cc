#include "tests/common/io/sync_faults.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace {

std::atomic<std::uint64_t> g_count{0};
std::atomic<int> g_failures{0};
std::atomic<int> g_error{0};

}  // namespace

extern "C" int fdatasync(int fd) {
  g_count.fetch_add(1);
  if (g_failures.load() > 0) {
    g_failures.fetch_sub(1);
    errno = g_error.load();
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

namespace millrace::testing {

std::uint64_t SyncCount() { return g_count.load(); }

void FailSyncs(int times, int error) {
  g_error.store(error);
  g_failures.store(times);
}

}  // namespace millrace::testing
