#include "tests/client/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "common/status.h"

namespace millrace {
namespace {

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

// False at the end.
bool Drain(int fd, std::string& text) {
  std::array<char, 65536> buffer;
  const ssize_t got = read(fd, buffer.data(), buffer.size());
  if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0;
}

}  // namespace

ProgramResult RunProgram(const std::vector<std::string>& words, const std::vector<std::string>& environment,
                         const std::function<int(const std::string& out)>& on_output) {
  int out[2], err[2];
  MR_CHECK(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  pid_t child = 0;
  MR_CHECK(posix_spawn(&child, words[0].c_str(), &actions, nullptr, Pointers(words).data(),
                       Pointers(environment).data()) == 0);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);

  ProgramResult result;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  for (bool out_open = true, err_open = true; out_open || err_open;) {
    std::array<pollfd, 2> ends = {pollfd{out_open ? out[0] : -1, POLLIN, 0}, pollfd{err_open ? err[0] : -1, POLLIN, 0}};
    if (poll(ends.data(), ends.size(), 1000) > 0) {
      if (ends[0].revents != 0) {
        out_open = Drain(out[0], result.out);
        if (const int signal = on_output && out_open ? on_output(result.out) : 0; signal != 0) kill(child, signal);
      }
      if (ends[1].revents != 0) err_open = Drain(err[0], result.err);
    }
    if (std::chrono::steady_clock::now() > deadline) kill(child, SIGKILL);
  }
  close(out[0]);
  close(err[0]);
  int status = 0;
  MR_CHECK(waitpid(child, &status, 0) == child);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace millrace
