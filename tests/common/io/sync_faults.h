// Linked into a test program it stands before the C library's fdatasync: counts the calls, and makes them fail on
// demand. Thread-safe.
#pragma once

#include <cstdint>

namespace millrace::testing {

std::uint64_t SyncCount();
// The next `times` calls fail with `error` without syncing.
void FailSyncs(int times, int error);

}  // namespace millrace::testing
