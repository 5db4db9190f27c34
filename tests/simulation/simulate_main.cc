// millrace_simulate: lives many simulated cluster lives and says whether the invariants held.
//
//   millrace_simulate [--seeds N] [--first S] [--mutate NAME] [--trace SEED]
//
// The last line is `RESULT simulation seeds=N violations=V batches=B`. Exit status: 0 without violations, 1 with, 2 for
// a wrong call.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>

#include "common/status.h"
#include "tests/simulation/lives.h"

namespace millrace::simulation {
namespace {

struct Arguments {
  std::uint64_t seeds = 200;
  std::uint64_t first = 0;
  Mutation mutation = Mutation::kNone;
  bool trace = false;
};

bool ParseNumber(const char* text, std::uint64_t* value) {
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), *value);
  return error == std::errc() && *end == 0;
}

bool Parse(int argc, char** argv, Arguments* arguments) {
  if (argc % 2 == 0) return false;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--mutate") {
      const std::optional<Mutation> mutation = FindMutation(argv[i + 1]);
      if (!mutation) return false;
      arguments->mutation = *mutation;
    } else if (std::uint64_t value = 0; !ParseNumber(argv[i + 1], &value)) {
      return false;
    } else if (name == "--seeds") {
      arguments->seeds = value;
    } else if (name == "--first") {
      arguments->first = value;
    } else if (name == "--trace") {
      arguments->trace = true;
      arguments->first = value;
      arguments->seeds = 1;
    } else {
      return false;
    }
  }
  return true;
}

int Run(const Arguments& arguments) {
  std::uint64_t violations = 0, batches = 0;
  std::map<std::string, std::uint64_t> seen;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t seed = arguments.first; seed < arguments.first + arguments.seeds; ++seed) {
    const Life life = LiveOnce(seed, arguments.mutation, arguments.trace);
    batches += life.batches;
    for (const auto& [what, times] : life.seen) seen[what] += times;
    if (life.violation.empty()) continue;
    ++violations;
    std::printf("seed %llu: %s (see it with --trace %llu)\n", static_cast<unsigned long long>(seed),
                life.violation.c_str(), static_cast<unsigned long long>(seed));
    std::fflush(stdout);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (const auto& [what, times] : seen)
    std::printf("%12llu  %s\n", static_cast<unsigned long long>(times), what.c_str());
  std::printf("%.1f seconds, %.0f seeds a second\n", seconds, static_cast<double>(arguments.seeds) / seconds);
  std::printf("RESULT simulation seeds=%llu violations=%llu batches=%llu\n",
              static_cast<unsigned long long>(arguments.seeds), static_cast<unsigned long long>(violations),
              static_cast<unsigned long long>(batches));
  return violations == 0 ? 0 : 1;
}

}  // namespace
}  // namespace millrace::simulation

int main(int argc, char** argv) {
  millrace::simulation::Arguments arguments;
  if (!millrace::simulation::Parse(argc, argv, &arguments)) {
    std::fprintf(stderr, "usage: millrace_simulate [--seeds N] [--first S] [--mutate NAME] [--trace SEED]\nmutations:");
    for (const auto& entry : millrace::simulation::kMutations)
      std::fprintf(stderr, " %s", std::string(entry.name).c_str());
    std::fprintf(stderr, "\n");
    return 2;
  }
  return millrace::simulation::Run(arguments);
}
