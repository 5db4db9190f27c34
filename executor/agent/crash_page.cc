#include "executor/agent/crash_page.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "common/status.h"

namespace millrace {

absl::StatusOr<Fd> MakeCrashPage() {
  Fd fd(memfd_create("millrace-crash", MFD_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "memfd_create");
  if (ftruncate(fd.get(), sizeof(CrashPage)) != 0) return ErrnoStatus(errno, "sizing the crash page");
  return fd;
}

absl::StatusOr<CrashPage*> MapCrashPage(int fd) {
  void* memory = mmap(nullptr, sizeof(CrashPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return ErrnoStatus(errno, "mapping the crash page");
  return static_cast<CrashPage*>(memory);
}

void UnmapCrashPage(CrashPage* page) { munmap(page, sizeof(CrashPage)); }

}  // namespace millrace
