// Lives one simulated cluster life and turns whatever goes wrong into words. A failed MR_CHECK in a core ends the
// process; the seed is printed first. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/simulation/mutation.h"

namespace millrace::simulation {

struct Life {
  std::uint64_t batches = 0;
  std::string violation;  // empty: all invariants held
  std::map<std::string, std::uint64_t> seen;
};

Life LiveOnce(std::uint64_t seed, Mutation mutation, bool trace);

}  // namespace millrace::simulation
