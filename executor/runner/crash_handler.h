// Tells the executor what a crashing runner was doing: which operator, which batch, which signal.
#pragma once

#include <cstdint>

#include "executor/agent/crash_page.h"

namespace millrace {

// What this thread runs of the job's code. Set around every call into a task; nothing but stores, so it may be done for
// every task.
class ActiveTask {
 public:
  ActiveTask(const volatile std::uint32_t* current_operator, std::uint64_t batch);
  ~ActiveTask();
  ActiveTask(const ActiveTask&) = delete;
  ActiveTask& operator=(const ActiveTask&) = delete;

  const volatile std::uint32_t* current_operator;
  std::uint64_t batch;
};

// Once, early. `page` may be null: then the words go to stderr alone.
void InstallCrashHandler(CrashPage* page);
// On each thread that runs user code: a stack of its own for the handler, so that an overflowing stack can be told,
// too.
void PrepareThreadForCrash();
// Leaves a reason for the executor and ends the process.
[[noreturn]] void EndRunner(CrashPage* page, const char* reason, int code);

}  // namespace millrace
