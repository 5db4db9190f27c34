// Keyed state: what each user has spent so far; a user who buys nothing for a while is told to be gone, and forgotten.
//
//   millrace local running_totals.so --seconds 10
#include <millrace/millrace.h>

using namespace std::chrono_literals;

namespace {
std::pair<std::string, std::uint64_t> Purchase(std::uint64_t index, std::uint64_t) {
  return {"user" + std::to_string(index * index % 7), 1 + index % 10};
}
}  // namespace

MILLRACE_JOB(running_totals, ctx) {
  ctx.BatchInterval(1s);
  ctx.Generator({.rate = 20}, Purchase)
      .Uid("purchases")
      .MapWithState(millrace::StateSpec([](const std::string& user, std::optional<std::uint64_t> amount,
                                           millrace::StateHandle<std::uint64_t>& total) {
                      if (total.IsTimingOut()) return user + " is gone, after " + std::to_string(total.Get());
                      total.Update(total.GetOr(0) + *amount);
                      return user + " has spent " + std::to_string(total.Get());
                    }).Timeout(3s))
      .Uid("totals")
      .Print(20);
}
