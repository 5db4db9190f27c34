// A sum a key over a window that slides every batch; every key has one record in every batch. What a batch costs is then the
// cost of the window alone.
#include <millrace/millrace.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

MILLRACE_JOB(sliding_window, ctx) {
  const auto keys = ctx.Arg("keys", std::uint64_t{100'000});
  const auto interval = ctx.Arg("interval", std::chrono::microseconds(std::chrono::milliseconds(100)));
  const auto window = ctx.Arg("window", std::uint64_t{10});  // in batches
  ctx.BatchInterval(interval);
  ctx.DefaultPartitions(2);
  ctx.Generator({.splits = 2, .max_records_per_batch = keys / 2},
                [keys](std::uint64_t index, std::uint64_t) {
                  return std::pair(index % keys, std::uint64_t{index / keys});
                })
      .ReduceByKeyAndWindow(std::plus<>(), interval * window)
      .ForEachBatch([](const millrace::BatchContext&, std::span<const std::pair<std::uint64_t, std::uint64_t>> sums) {
        static std::atomic<std::uint64_t> total{0};  // so that the sums are not computed for nothing
        std::uint64_t sum = 0;
        for (const auto& [key, value] : sums) sum += value;
        total += sum;
      });
}
