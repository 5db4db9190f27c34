// millrace-runner: runs the code of one job on one node, as a child of millrace-executor; with --plan, turns a job
// library into a plan. See docs/millrace-runner.md.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string_view>

#include "common/io/file.h"
#include "common/log.h"
#include "common/net/grpc_log.h"
#include "common/net/tls.h"
#include "common/status.h"
#include "common/version.h"
#include "executor/runner/crash_handler.h"
#include "executor/runner/planner.h"
#include "executor/runner/runner_process.h"

namespace {

using namespace millrace;

std::string DescriptorPath(int fd) { return Concat("/proc/self/fd/", fd); }

int RunJob(const v1::RunnerBootstrap& bootstrap) {
  auto page = MapCrashPage(v1::RUNNER_DESCRIPTOR_CRASH);
  if (!page.ok()) {
    std::fprintf(stderr, "millrace-runner: %s\n", Message(page.status()).c_str());
    return 1;
  }
  InstallCrashHandler(*page);
  if (const absl::Status status = InitLogging({bootstrap.log_level(), bootstrap.log_format(), "runner"});
      !status.ok()) {
    EndRunner(*page, Message(status).c_str(), 1);
  }
  RouteGrpcLog();
  TrustGrpcLocks();
  signal(SIGTERM, [](int) { _exit(0); });  // what counts is durable elsewhere; nothing here is worth a wait
  RequireTls13();
  auto runner = RunnerProcess::Start(bootstrap, DescriptorPath(v1::RUNNER_DESCRIPTOR_LIBRARY), *page);
  if (!runner.ok()) EndRunner(*page, Message(runner.status()).c_str(), 1);
  (*runner)->Run();
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a runner does not outlive its executor
  signal(SIGPIPE, SIG_IGN);
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::printf("millrace-runner %s\n", kVersion);
    return 0;
  }
  const auto bytes = ReadFile(DescriptorPath(v1::RUNNER_DESCRIPTOR_BOOTSTRAP));
  v1::RunnerBootstrap bootstrap;
  if (!bytes.ok() || !bootstrap.ParseFromString(*bytes)) {
    std::fprintf(
        stderr,
        "millrace-runner: this program is started by millrace-executor, which hands it its work on descriptor 3\n");
    return 2;
  }
  if (argc == 2 && std::string_view(argv[1]) == "--plan")
    return RunPlanner(bootstrap, DescriptorPath(v1::RUNNER_DESCRIPTOR_LIBRARY));
  return RunJob(bootstrap);
}
