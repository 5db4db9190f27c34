// A runner's last words: one page of memory that it shares with its executor. A crash handler can do little; writing a
// few words into a mapped page is among it. The executor reads the page when the runner has ended.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/status/statusor.h"
#include "common/io/file.h"

namespace millrace {

struct CrashPage {
  std::atomic<std::uint32_t> filled{0};  // 1 when the rest is valid
  std::int32_t signal = 0;
  std::uint32_t in_operator = 0;
  std::uint32_t op = 0;
  std::uint64_t batch = 0;
  char detail[1024] = {};  // zero-terminated; also set by a runner that ends itself with a reason
};

// A new page, all zero.
absl::StatusOr<Fd> MakeCrashPage();
// Maps it; it stays mapped for the life of the process.
absl::StatusOr<CrashPage*> MapCrashPage(int fd);
void UnmapCrashPage(CrashPage* page);

}  // namespace millrace
