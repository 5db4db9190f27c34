// While user code of an operator runs, its id stands where the crash handler looks: also after a chunk was pushed on in
// the middle.
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

struct Nowhere : engine::TaskOutput {
  void Block(std::uint32_t, std::uint32_t, std::string, std::uint64_t) override {}
  void Count(std::uint32_t, std::string_view, std::uint64_t) override {}
  void Rows(std::uint32_t, std::span<const engine::SinkRow>) override {}
};

volatile std::uint32_t current = 0;

void Expect(std::uint32_t id) { EXPECT_EQ(std::uint32_t{current}, id); }

TEST(OperatorTrackingTest, TheRunningOperatorIsNamed) {
  Harness job([](JobContext& ctx) {
    auto many = ctx.Generator({}, [](std::uint64_t i, std::uint64_t) { return Expect(0), i; })  // 0
                    .FlatMap([](std::uint64_t i, auto&& emit) {                                 // 1
                      for (int n = 0; n < 3000; ++n) {
                        Expect(1);  // emit pushes a chunk on now and then
                        emit(i);
                      }
                      Expect(1);
                    });
    auto odd = many.Filter([](std::uint64_t i) { return Expect(2), i % 2 == 1; });       // 2
    auto texts = odd.Map([](std::uint64_t i) { return Expect(3), std::to_string(i); });  // 3
    auto some = texts.Filter([](const std::string&) { return Expect(4), true; });        // 4
    some.Map([](const std::string& t) { return Expect(5), std::pair(t, 1); })            // 5
        .ReduceByKey([](int a, int b) { return Expect(6), a + b; }, 1)                   // 6
        .Print();                                                                        // 7
    some.MapPartitions([](std::span<const std::string> rows, auto&& emit) {              // 8
          for (const std::string& row : rows) {
            Expect(8);
            emit(row);
          }
        })
        .Map([](const std::string& t) { return Expect(9), t; })                                // 9
        .ForEachBatch([](const BatchContext&, std::span<const std::string>) { Expect(10); });  // 10
  });
  Nowhere output;
  engine::TaskContext context;
  context.current_operator = &current;
  const auto task = job.program().NewTask(context, output);
  std::vector<engine::SourceRecord> records(5);
  for (std::size_t i = 0; i < records.size(); ++i) records[i].position = static_cast<std::int64_t>(i);
  task->Records(records);
  task->Finish();
  task->RunFunction(10);
  Expect(10);
}

TEST(OperatorTrackingTest, AThrowLeavesTheThrowersId) {
  Harness job([](JobContext& ctx) {
    ctx.Generator({}, [](std::uint64_t i, std::uint64_t) { return i; })
        .Map([](std::uint64_t i) { return i + 1; })
        .Map([](std::uint64_t i) { return i == 3 ? throw std::runtime_error("three") : i; })
        .Print();
  });
  Nowhere output;
  engine::TaskContext context;
  context.current_operator = &current;
  const auto task = job.program().NewTask(context, output);
  std::vector<engine::SourceRecord> records(5);
  for (std::size_t i = 0; i < records.size(); ++i) records[i].position = static_cast<std::int64_t>(i);
  EXPECT_THROW(task->Records(records), std::runtime_error);
  Expect(2);
}

TEST(OperatorTrackingTest, CallsThatDoNotFitAreErrors) {
  Harness job([](JobContext& ctx) { ctx.TextFiles({.directory = "d"}).Print(); });
  Nowhere output;
  engine::TaskContext context;
  const auto task = job.program().NewTask(context, output);
  EXPECT_THROW(task->Block(""), std::logic_error);
  EXPECT_THROW(task->RunFunction(1), std::logic_error);
  EXPECT_THROW(task->RunFunction(77), std::logic_error);
  context.stage = 9;
  EXPECT_THROW(job.program().NewTask(context, output), std::invalid_argument);
}

}  // namespace
}  // namespace millrace
