// millrace-runner --plan: turns a job library into a plan, in a process that can do little harm and is gone afterwards.
// The plan goes to stdout as bytes, words to stderr.
#pragma once

#include "millrace/v1/runner.pb.h"

namespace millrace {

// The process's exit code.
int RunPlanner(const v1::RunnerBootstrap& bootstrap, const std::string& library_path);

}  // namespace millrace
