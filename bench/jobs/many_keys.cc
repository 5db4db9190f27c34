// State of very many keys under a steady stream: a count a key, ten million keys by default, in an order that has
// nothing to do with where they lie. A key in a million is written to files, so that there is an output to commit.
#include <millrace/millrace.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace {
// Visits every key once in each round: the factor is a prime and no divisor of the number of keys.
constexpr std::uint64_t kStride = 2'654'435'761;
}  // namespace

MILLRACE_JOB(many_keys, ctx) {
  const auto keys = ctx.Arg("keys", std::uint64_t{10'000'000});
  ctx.BatchInterval(ctx.Arg("interval", std::chrono::microseconds(std::chrono::milliseconds(100))));
  ctx.CheckpointInterval(ctx.Arg("checkpoint", std::chrono::microseconds(std::chrono::seconds(10))));
  ctx.DefaultPartitions(ctx.Arg("partitions", std::uint32_t{4}));
  ctx.State(ctx.Arg("disk", false) ? millrace::engine::StateBackend::kRocksDb
                                   : millrace::engine::StateBackend::kMemory);
  ctx.Generator(
         {.rate = ctx.Arg("rate", std::uint64_t{600'000}), .splits = 4},
         [keys](std::uint64_t index, std::uint64_t) { return std::pair(index * kStride % keys, std::uint8_t{1}); })
      .MapWithState(millrace::StateSpec(
          [](const std::uint64_t& key, std::optional<std::uint8_t>, millrace::StateHandle<std::uint64_t>& count) {
            count.Update(count.GetOr(0) + 1);
            return key % 1'000'000 == 0 ? std::optional(std::to_string(key) + '\t' + std::to_string(count.Get()))
                                        : std::optional<std::string>();
          }))
      .Uid("counts")
      .ToFiles({.directory = ctx.Arg("output"), .suffix = ".tsv"});
}
