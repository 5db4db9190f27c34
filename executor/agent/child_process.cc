#include "executor/agent/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "common/status.h"

extern char** environ;

namespace millrace {
namespace {

constexpr std::size_t kLineBytesMax = 8 << 10;

struct Pipe {
  Fd read;
  Fd write;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

// Cuts a stream of bytes into lines of a bounded length.
class LineCutter {
 public:
  std::vector<std::string> Take(std::string_view bytes) {
    std::vector<std::string> lines;
    for (const char c : bytes) {
      if (c == '\n') {
        lines.push_back(std::exchange(line_, {}));
      } else if (line_.size() < kLineBytesMax) {
        line_.push_back(c);
      }
    }
    return lines;
  }
  std::string Rest() { return std::exchange(line_, {}); }

 private:
  std::string line_;
};

// False at the end of the stream.
bool ReadSome(const Fd& fd, std::string& bytes) {
  bytes.resize(64 << 10);
  const ssize_t n = read(fd.get(), bytes.data(), bytes.size());
  bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return n > 0 || (n < 0 && errno == EINTR);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const Spec& spec, OnLines on_lines, OnExit on_exit) {
  MR_ASSIGN_OR_RETURN(Pipe lines, MakePipe());
  Pipe whole;
  if (spec.split_output) {
    MR_ASSIGN_OR_RETURN(whole, MakePipe());
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, spec.split_output ? whole.write.get() : lines.write.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, lines.write.get(), 2);
  std::vector<Fd> high;  // away from the numbers the child wants, or one dup2 could overwrite the source of the next
  for (const auto& [theirs, ours] : spec.descriptors) {
    high.emplace_back(fcntl(ours, F_DUPFD_CLOEXEC, 64));
    posix_spawn_file_actions_adddup2(&actions, high.back().get(), theirs);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes,
                             &none);          // we block signals for our own waiting; the child must not inherit that
  posix_spawnattr_setpgroup(&attributes, 0);  // a ^C at our terminal is ours to handle
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);

  std::vector<char*> argv;
  for (const std::string& word : spec.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  auto child = std::unique_ptr<ChildProcess>(new ChildProcess());
  const int error = posix_spawn(&child->pid_, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return ErrnoStatus(error, Concat("starting ", spec.argv[0]));
  lines.write.Reset();
  whole.write.Reset();
  child->watcher_ =
      std::thread([raw = child.get(), lines = std::move(lines.read), whole = std::move(whole.read),
                   max = spec.stdout_max, on_lines = std::move(on_lines), on_exit = std::move(on_exit)]() mutable {
        raw->Watch(std::move(lines), std::move(whole), max, on_lines, on_exit);
      });
  return child;
}

ChildProcess::~ChildProcess() {
  Kill(SIGKILL);
  if (watcher_.joinable()) watcher_.join();
}

void ChildProcess::Kill(int signal) {
  std::lock_guard lock(mutex_);
  if (!reaped_) kill(-pid_, signal);  // with whatever it has started
}

void ChildProcess::Watch(Fd lines, Fd whole, std::size_t whole_max, const OnLines& on_lines, const OnExit& on_exit) {
  LineCutter cutter;
  std::string bytes;
  std::string collected;
  while (lines.valid() || whole.valid()) {
    pollfd polled[2] = {{lines.get(), POLLIN, 0}, {whole.get(), POLLIN, 0}};  // a negative descriptor is passed over
    if (poll(polled, 2, -1) < 0) continue;
    if (polled[0].revents != 0) {
      if (!ReadSome(lines, bytes)) lines.Reset();
      if (auto cut = cutter.Take(bytes); !cut.empty()) on_lines(std::move(cut));
    }
    if (polled[1].revents != 0) {
      if (!ReadSome(whole, bytes)) whole.Reset();
      if (collected.size() + bytes.size() <= whole_max) collected += bytes;
    }
  }
  if (std::string rest = cutter.Rest(); !rest.empty()) on_lines({std::move(rest)});
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);  // the pid stays ours until reaped_ is set
  {
    std::lock_guard lock(mutex_);
    reaped_ = true;
    int status = 0;
    waitpid(pid_, &status, 0);
  }
  ChildExit exit;
  if (info.si_code == CLD_EXITED) {
    exit.exit_code = info.si_status;
  } else {
    exit.signal = info.si_status;
  }
  on_exit(exit, std::move(collected));
}

absl::StatusOr<Fd> MemoryFile(const std::string& name, std::string_view content, bool sealed) {
  Fd fd(memfd_create(name.c_str(), MFD_CLOEXEC | (sealed ? MFD_ALLOW_SEALING : 0U)));
  if (!fd.valid()) return ErrnoStatus(errno, "memfd_create");
  MR_RETURN_IF_ERROR(WriteAt(fd, content, 0, name));
  if (sealed && fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return ErrnoStatus(errno, "sealing a memory file");
  }
  return fd;
}

}  // namespace millrace
