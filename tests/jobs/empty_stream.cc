// A stream in which no record ever reaches an output, in short batches: what is left is the cost of the batches
// themselves. The generator makes one record a second, which a Filter drops. Arguments: interval (5ms), count (seconds
// until it ends, 0: no end).
#include <millrace/millrace.h>

using namespace std::chrono_literals;

MILLRACE_JOB(empty_stream, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 5ms));
  ctx.Generator({.rate = 1, .count = ctx.Arg("count", std::uint64_t{0})},
                [](std::uint64_t index, std::uint64_t) { return std::pair(index, index); })
      .Filter([](const auto&) { return false; })
      .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; }, 2)
      .Print();
}
