#include "executor/runner/planner.h"

#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "common/io/file.h"
#include "common/status.h"
#include "executor/runner/job_library.h"

namespace millrace {
namespace {

constexpr rlim_t kCpuSeconds = 20;
constexpr rlim_t kMemoryBytes = rlim_t{4} << 30;
constexpr uid_t kNobody = 65534;

void Limit(int resource, rlim_t value) {
  const rlimit limit{value, value};
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

// No network, no new processes' privileges, no files to write, no cores, bounded time and memory. What the kernel
// refuses (an unprivileged executor cannot leave the network) is left as it is: the planner then has the rights of the
// executor's user, and no keys either way.
void EnterSandbox() {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  Limit(RLIMIT_CPU, kCpuSeconds);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  Limit(RLIMIT_AS, kMemoryBytes);
#endif
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_FSIZE, 0);
  if (geteuid() != 0) return;
  [[maybe_unused]] const int left = unshare(CLONE_NEWNET | CLONE_NEWIPC);
  if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 || setuid(kNobody) != 0)
    std::perror("millrace-runner: dropping root");
}

}  // namespace

int RunPlanner(const v1::RunnerBootstrap& bootstrap, const std::string& library_path) {
  EnterSandbox();
  const engine::JobParameters parameters{
      bootstrap.name(), {bootstrap.arguments().begin(), bootstrap.arguments().end()}, bootstrap.batch_interval_us()};
  const auto job = LoadJob(library_path, parameters);
  if (!job.ok()) {
    std::fprintf(stderr, "%s\n", Message(job.status()).c_str());
    return 1;
  }
  const std::string bytes = job->plan.SerializeAsString();
  std::fflush(nullptr);
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t n = write(STDOUT_FILENO, bytes.data() + written, bytes.size() - written);
    if (n <= 0) return 1;
    written += static_cast<std::size_t>(n);
  }
  _exit(0);  // destructors of user code are not our business
}

}  // namespace millrace
