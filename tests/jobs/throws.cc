// Throws from a Map at record number `at` (1000), in every attempt. Arguments: at, rate, interval.
#include <millrace/millrace.h>

#include <stdexcept>

using namespace std::chrono_literals;

MILLRACE_JOB(throws, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 100ms));
  const auto at = ctx.Arg("at", std::uint64_t{1000});
  ctx.Generator({.rate = ctx.Arg("rate", std::uint64_t{2000})},
                [](std::uint64_t index, std::uint64_t) { return index; })
      .Map([at](std::uint64_t index) {
        if (index == at) throw std::runtime_error("record " + std::to_string(index) + " cannot be mapped");
        return index;
      })
      .Print();
}
