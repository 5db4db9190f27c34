// Runs a program as a user would: its own process, pipes for stdout and stderr, an environment of its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace millrace {

struct ProgramResult {
  int code = -1;  // 128 + signal when it was killed
  std::string out;
  std::string err;
};

// `words` begins with the program's path; `environment` has "NAME=value" and nothing is inherited. `on_output` is
// called with what there is on stdout so far whenever it grows; a signal number that it returns is sent to the program,
// 0 is not. A program that runs for a minute is killed.
ProgramResult RunProgram(const std::vector<std::string>& words, const std::vector<std::string>& environment,
                         const std::function<int(const std::string& out)>& on_output = nullptr);

}  // namespace millrace
