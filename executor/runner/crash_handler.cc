#include "executor/runner/crash_handler.h"

#include <execinfo.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace millrace {
namespace {

thread_local ActiveTask* t_active = nullptr;
CrashPage* g_page = nullptr;

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
constexpr std::size_t kStackBytes = 64 << 10;

void OnCrash(int signal) {
  const ActiveTask* active = t_active;
  if (g_page != nullptr && g_page->filled.load(std::memory_order_relaxed) == 0) {
    g_page->signal = signal;
    g_page->in_operator = active != nullptr ? 1 : 0;
    if (active != nullptr) {
      g_page->op = *active->current_operator;
      g_page->batch = active->batch;
    }
    g_page->filled.store(1, std::memory_order_release);
  }
  char text[160];
  const int n =
      active != nullptr
          ? std::snprintf(text, sizeof text, "millrace-runner: SIG%s in operator %u, batch %llu; the stack:\n",
                          sigabbrev_np(signal), static_cast<unsigned>(*active->current_operator),
                          static_cast<unsigned long long>(active->batch))
          : std::snprintf(text, sizeof text, "millrace-runner: SIG%s outside the job's code; the stack:\n",
                          sigabbrev_np(signal));
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text, static_cast<std::size_t>(n));
  void* frames[32];
  backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
  ::signal(signal, SIG_DFL);
  raise(signal);
}

}  // namespace

ActiveTask::ActiveTask(const volatile std::uint32_t* op, std::uint64_t of_batch)
    : current_operator(op), batch(of_batch) {
  t_active = this;
}
ActiveTask::~ActiveTask() { t_active = nullptr; }

void InstallCrashHandler(CrashPage* page) {
  g_page = page;
  void* frame[1];
  backtrace(frame, 1);  // loads what it needs now: in the handler it would be too late
  struct sigaction action {};
  action.sa_handler = OnCrash;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  for (const int signal : kSignals) sigaction(signal, &action, nullptr);
}

void PrepareThreadForCrash() {
  thread_local char stack[kStackBytes];
  stack_t alternative{};
  alternative.ss_sp = stack;
  alternative.ss_size = sizeof stack;
  sigaltstack(&alternative, nullptr);
}

void EndRunner(CrashPage* page, const char* reason, int code) {
  std::fprintf(stderr, "millrace-runner: %s\n", reason);
  if (page != nullptr) {
    std::strncpy(page->detail, reason, sizeof page->detail - 1);
    page->filled.store(1, std::memory_order_release);
  }
  _exit(code);
}

}  // namespace millrace
