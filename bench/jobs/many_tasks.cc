// Batches of many small tasks: a record or so for each of `partitions` reduce tasks. What is left is the cost of the
// tasks themselves.
#include <millrace/millrace.h>

#include <cstdint>
#include <span>
#include <utility>

using namespace std::chrono_literals;

MILLRACE_JOB(many_tasks, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 200ms));
  const auto partitions = ctx.Arg("partitions", 1000);
  ctx.Generator({.splits = 2, .max_records_per_batch = static_cast<std::uint64_t>(partitions) / 2},
                [](std::uint64_t index, std::uint64_t) { return std::pair(index, std::uint64_t{1}); })
      .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; }, partitions)
      .ForEachBatch([](const millrace::BatchContext&, std::span<const std::pair<std::uint64_t, std::uint64_t>>) {});
}
