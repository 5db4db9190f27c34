// Runs a program on the testing kit and compares every batch with the model.
#pragma once

#include <cstdint>
#include <string>

#include "tests/random_pipelines/model.h"

namespace millrace::random_pipelines {

// What a run is given, and what happens to it.
struct Life {
  std::vector<std::vector<Batch>> input;  // by batch, then by split
  bool stored = false;                    // state as on disk
  std::uint64_t checkpoint_every = 3;     // batches
  std::uint64_t lose_every = 0;           // batches; 0: nothing is lost
};
// Empty when every batch agrees with the model; else what differs.
std::string RunOn(const Program& program, const Life& life);

// The same with a life that the seed decides. Empty when all batches agree; else what differs.
std::string RunInProcess(const Program& program, std::uint64_t seed);
// The smallest part of a failing program that still fails with this seed.
Program Shrink(Program program, std::uint64_t seed);

}  // namespace millrace::random_pipelines
