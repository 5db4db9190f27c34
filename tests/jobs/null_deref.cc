// Crashes: the Map reads through a null pointer at record number `at` (1000). Whoever runs it must survive, and name
// that Map. Arguments: at, rate, interval.
#include <millrace/millrace.h>

using namespace std::chrono_literals;

namespace {
const std::uint64_t* volatile nowhere = nullptr;  // volatile: so that the compiler cannot know
}  // namespace

MILLRACE_JOB(null_deref, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 100ms));
  const auto at = ctx.Arg("at", std::uint64_t{1000});
  ctx.Generator({.rate = ctx.Arg("rate", std::uint64_t{2000})},
                [](std::uint64_t index, std::uint64_t) { return index; })
      .Map([at](std::uint64_t index) { return index == at ? *nowhere : index; })
      .Print();
}
