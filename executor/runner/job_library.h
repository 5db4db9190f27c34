// A job library in this process: loaded once, its graph built once. Only runners and planner children do this.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "millrace/engine.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

struct LoadedJob {
  std::unique_ptr<engine::Program> program;
  v1::Plan plan;  // with its fingerprint
};

// `path` may be /proc/self/fd/N. InvalidArgument with the loader's or the planner's own words. The library stays loaded
// for good: unloading code whose objects may live is a crash in waiting.
absl::StatusOr<LoadedJob> LoadJob(const std::string& path, const engine::JobParameters& parameters);

}  // namespace millrace
