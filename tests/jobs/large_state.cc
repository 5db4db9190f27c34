// State of many keys, each touched several times and read at the end: for the test that looks at every key.
//
// Record i of `rounds` + 1 rounds over `keys` keys goes to key (i * a prime) mod keys; in the last round the key's count and sum
// come out as "key<TAB>count<TAB>sum", which the test can compute by itself. An even number of keys keeps each key's
// records in one split, and so in order.
#include <millrace/millrace.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

namespace {

struct Seen {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
};

std::string KeyName(std::uint64_t key) {
  char name[24];
  const int size = std::snprintf(name, sizeof name, "key-%010llu", static_cast<unsigned long long>(key));
  return std::string(name, static_cast<std::size_t>(size));
}

}  // namespace

MILLRACE_JOB(large_state, ctx) {
  const auto keys = ctx.Arg("keys", std::uint64_t{10'000'000});
  const auto rounds = ctx.Arg("rounds", std::uint64_t{1});
  const auto output = ctx.Arg("output");
  ctx.BatchInterval(std::chrono::milliseconds(500));
  ctx.CheckpointInterval(ctx.Arg("checkpoint", std::chrono::microseconds(std::chrono::seconds(10))));
  ctx.State(ctx.Arg("disk", true) ? millrace::engine::StateBackend::kRocksDb : millrace::engine::StateBackend::kMemory);
  ctx.Generator({.splits = 2,
                 .count = keys * (rounds + 1),
                 .max_records_per_batch = ctx.Arg("per_batch", std::uint64_t{200'000})},
                [keys](std::uint64_t index, std::uint64_t) {
                  return std::pair(KeyName(index % keys * 7919 % keys), index);
                })
      .MapWithState(millrace::StateSpec([keys, rounds](const std::string& key, std::optional<std::uint64_t> index,
                                                       millrace::StateHandle<Seen>& state) {
        std::optional<std::string> line;
        Seen seen = state.GetOr(Seen{});
        if (*index / keys == rounds) {
          line = key + '\t' + std::to_string(seen.count) + '\t' + std::to_string(seen.sum);
        } else {
          state.Update(Seen{seen.count + 1, seen.sum + *index});
        }
        return line;
      }))
      .ToFiles({.directory = output, .suffix = ".tsv"});
}
