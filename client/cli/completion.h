// Completion scripts for shells, made from the command tree itself, so that they never lag behind it.
#pragma once

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace millrace::cli {

// `shell` is bash, zsh or fish.
std::string CompletionScript(const CLI::App& app, std::string_view shell);

}  // namespace millrace::cli
