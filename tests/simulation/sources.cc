#include "tests/simulation/sources.h"

#include "common/status.h"

namespace millrace::simulation {

Sources::Sources(const JobPlan& plan, bool bounded, Random& random) {
  for (const SourcePlan& source : plan.sources) {
    const std::uint64_t count = 1 + random.Below(4);
    for (std::uint64_t i = 0; i < count; ++i) {
      Split& split = splits_[{source.op, Concat("s", i)}];
      split.visible = i == 0 || random.Chance(0.5);
      if (bounded) split.limit = random.Below(8) == 0 ? 0 : random.Below(300);
    }
  }
}

void Sources::Grow(Random& random) {
  for (auto& [key, split] : splits_) {
    if (!split.visible) {
      split.visible = random.Chance(0.002);
      continue;
    }
    if (split.high == split.limit) {
      split.sealed = split.sealed || random.Chance(0.1);
    } else if (split.pause > 0) {
      --split.pause;
    } else if (random.Chance(0.005)) {
      split.pause = static_cast<int>(random.Below(120));
    } else if (random.Chance(0.3)) {
      split.high = std::min(split.limit, split.high + random.Below(3));
    }
  }
}

void Sources::RevealAll() {
  for (auto& [key, split] : splits_) split.visible = true;
}

std::pair<std::uint64_t, bool> Sources::Grown(const SplitKey& key) const {
  const Split& split = splits_.at(key);
  return {split.high, split.sealed};
}

SplitReport Sources::List(std::uint32_t source) const {
  SplitReport report;
  report.source = source;
  report.complete = true;
  for (const auto& [key, split] : splits_) {
    if (key.source != source) continue;
    if (split.visible) report.splits.push_back({key.split, "0"});
    report.complete = report.complete && split.visible && split.limit != UINT64_MAX;
  }
  return report;
}

std::uint64_t Sources::total() const {
  std::uint64_t total = 0;
  for (const auto& [key, split] : splits_) total += split.limit;
  return total;
}

}  // namespace millrace::simulation
