#include "tests/simulation/lives.h"

#include <csignal>
#include <cstdio>
#include <exception>

#include "common/status.h"
#include "tests/simulation/cluster.h"

namespace millrace::simulation {
namespace {

volatile std::sig_atomic_t g_seed_shown = 0;
std::uint64_t g_seed = 0;

// The process ends here anyway; the seed is worth the rule it breaks.
void ShowSeed(int) {
  if (g_seed_shown) return;
  g_seed_shown = 1;
  std::fprintf(stderr, "in simulation seed %llu\n", static_cast<unsigned long long>(g_seed));
}

}  // namespace

Life LiveOnce(std::uint64_t seed, Mutation mutation, bool trace) {
  g_seed = seed;
  std::signal(SIGABRT, ShowSeed);
  Life life;
  try {
    Cluster cluster(seed, mutation, trace);
    life.batches = cluster.Live();
    life.seen = cluster.seen();
  } catch (const Violation& violation) {
    life.violation = violation.what;
  } catch (const std::exception& error) {
    life.violation = Concat("exception: ", error.what());
  }
  if (trace && !life.violation.empty()) std::printf("VIOLATION %s\n", life.violation.c_str());
  std::signal(SIGABRT, SIG_DFL);
  return life;
}

}  // namespace millrace::simulation
