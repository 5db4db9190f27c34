// The conformance suite: every operation, alone, over every kind of input, with and without losses, with either
// backend, against the model. The operations are those of program.h, so an operation that random pipelines use is here,
// too; event time has its own (tests/sdk/event_*_test.cc), for its model needs times.
#include <gtest/gtest.h>

#include "tests/random_pipelines/in_process.h"

namespace millrace::random_pipelines {
namespace {

struct Input {
  const char* name;
  std::vector<std::vector<Batch>> batches;
};

std::vector<Input> Inputs() {
  const auto batch = [](int splits, int records, int keys, int salt) {
    std::vector<Batch> made(static_cast<std::size_t>(splits));
    for (int i = 0; i < records; ++i) {
      made[static_cast<std::size_t>(i % splits)].emplace_back("k" + std::to_string(i * 7 % keys),
                                                              static_cast<std::uint64_t>(i * 13 + salt) % 50);
    }
    return made;
  };
  const auto repeat = [&](int count, const auto& make) {
    std::vector<std::vector<Batch>> batches;
    for (int b = 0; b < count; ++b) batches.push_back(make(b));
    return batches;
  };
  return {
      {"EmptyBatches", repeat(9, [&](int) { return batch(2, 0, 1, 0); })},
      {"NoSplits", repeat(5, [&](int) { return std::vector<Batch>{}; })},
      {"OneRecord", repeat(13, [&](int b) { return batch(1, b == 2 ? 1 : 0, 1, 4); })},
      {"OneRecordABatch", repeat(13, [&](int b) { return batch(1, 1, 1, b); })},
      {"OneKey", repeat(13, [&](int b) { return batch(3, 20, 1, b); })},
      {"ManyPartitions", repeat(10, [&](int b) { return batch(17, 200, 23, b); })},
      {"MorePartitionsThanRecords", repeat(13, [&](int b) { return batch(9, 3, 2, b); })},
      {"EmptyAndFullInTurn", repeat(16, [&](int b) { return batch(2, b % 2 == 0 ? 30 : 0, 7, b); })},
      {"ThenNothing", repeat(16, [&](int b) { return batch(2, b < 3 ? 30 : 0, 7, b); })},
      {"MoreThanAChunk", repeat(3, [&](int b) { return batch(2, 2'500, 300, b); })},
  };
}

// Every operation with every number that it may have: windows shorter than, equal to and longer than their slide.
std::vector<Program> Operations() {
  std::vector<Program> operations;
  for (const OperationKind& kind : kKinds) {
    for (std::uint64_t a = 1; a <= (kind.numbers > 0 ? 4 : 1); ++a) {
      for (std::uint64_t b = 1; b <= (kind.numbers > 1 ? 3 : 1); ++b) {
        operations.push_back({{kind.name, kind.numbers > 0 ? a : 0, kind.numbers > 1 ? b : 0}});
      }
    }
  }
  return operations;
}

class Conformance : public ::testing::TestWithParam<Program> {};

TEST_P(Conformance, EqualsTheModel) {
  for (const Input& input : Inputs()) {
    for (const bool stored : {false, true}) {
      for (const std::uint64_t lose_every : {0, 1, 4}) {
        EXPECT_EQ(RunOn(GetParam(), {input.batches, stored, 3, lose_every}), "")
            << ToText(GetParam()) << " over " << input.name << (stored ? ", on disk" : ", in memory")
            << ", a loss every " << lose_every << " batches";
      }
    }
  }
}

// Behind a window, an operation gives results only when the window does.
TEST_P(Conformance, EqualsTheModelBehindAWindow) {
  Program program = {{"window", 3, 2}};
  program.push_back(GetParam().front());
  for (const Input& input : Inputs()) {
    EXPECT_EQ(RunOn(program, {input.batches, false, 2, 3}), "") << ToText(program) << " over " << input.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Operations, Conformance, ::testing::ValuesIn(Operations()), [](const auto& operation) {
  std::string name = ToText(operation.param);
  for (char& c : name) c = c == ':' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace millrace::random_pipelines
