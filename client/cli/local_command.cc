#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "client/cli/commands.h"

namespace millrace::cli {
namespace {

constexpr char kProgram[] = "millrace-local";

std::string FindProgram(const std::filesystem::path& here) {
  for (const std::filesystem::path& path : {here / kProgram, here / ".." / "libexec" / "millrace" / kProgram}) {
    if (access(path.c_str(), X_OK) == 0) return path.string();
  }
  return {};
}

}  // namespace

ExitCode Local(const LocalArguments& arguments) {
  std::error_code error;
  const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const std::string program = FindProgram(here);
  if (program.empty()) {
    return Report("local",
                  Concat("the program ", std::string_view(kProgram), " is neither in ", here.string(),
                         " nor in ../libexec/millrace beside it"),
                  "install the package millrace-executor, or build the target millrace-local", kExitFailure);
  }
  std::vector<std::string> words = {program, arguments.job_library};
  for (const std::string& argument : arguments.arguments) words.insert(words.end(), {"--arg", argument});
  if (!arguments.seconds.empty()) words.insert(words.end(), {"--seconds", arguments.seconds});
  if (!arguments.batch_interval.empty()) words.insert(words.end(), {"--batch-interval", arguments.batch_interval});
  std::vector<char*> raw;
  for (std::string& word : words) raw.push_back(word.data());
  raw.push_back(nullptr);
  Interrupt::UnblockSignals();
  execv(program.c_str(), raw.data());
  return Report("local", Concat("cannot run ", program, ": ", std::string_view(std::strerror(errno))), "",
                kExitFailure);
}

}  // namespace millrace::cli
