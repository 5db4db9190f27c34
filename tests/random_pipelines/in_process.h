// Runs a program on the testing kit and compares every batch with the model.
#pragma once

#include <cstdint>
#include <string>

#include "tests/random_pipelines/model.h"

namespace millrace::random_pipelines {

// Empty when all batches agree; else what differs. The seed decides input, backend, checkpoints and losses.
std::string RunInProcess(const Program& program, std::uint64_t seed);
// The smallest part of a failing program that still fails with this seed.
Program Shrink(Program program, std::uint64_t seed);

}  // namespace millrace::random_pipelines
