// A child process with inherited descriptors, whose output comes as lines and whose end comes as one call. The child
// dies with this process (it asks the kernel for that itself, see runner/main.cc), so Start must be called on a thread
// that lives as long as the process.
//
//   auto child = ChildProcess::Start({.argv = {"millrace-runner"}, .descriptors = {{fd, 3}}}, on_lines, on_exit);
//   child->Kill(SIGTERM);
//
// on_lines and on_exit run on a thread of the child's own; on_exit is the last call. Destroying the object kills the
// child and waits for on_exit.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/io/file.h"

namespace millrace {

struct ChildExit {
  int exit_code = 0;  // when signal is 0
  int signal = 0;
};

class ChildProcess {
 public:
  struct Spec {
    std::vector<std::string> argv;   // argv[0] is the path of the program
    std::map<int, int> descriptors;  // number in the child → ours
    bool split_output = false;       // stdout apart from stderr: stdout is then collected whole, see on_exit
    std::size_t stdout_max = 16 << 20;
  };
  using OnLines = std::function<void(std::vector<std::string> lines)>;
  using OnExit = std::function<void(ChildExit exit, std::string standard_output)>;

  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const Spec& spec, OnLines on_lines, OnExit on_exit);
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  // Nothing happens once it has ended.
  void Kill(int signal);

 private:
  ChildProcess() = default;
  void Watch(Fd lines, Fd whole, std::size_t whole_max, const OnLines& on_lines, const OnExit& on_exit);

  pid_t pid_ = -1;
  std::mutex mutex_;
  bool reaped_ = false;  // guarded by mutex_: the pid may be another process's from then on
  std::thread watcher_;
};

// An anonymous file with this content, not writable any more if `sealed`.
absl::StatusOr<Fd> MemoryFile(const std::string& name, std::string_view content, bool sealed);

}  // namespace millrace
