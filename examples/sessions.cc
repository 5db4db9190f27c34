// Session windows: what a user does without a pause of more than five seconds belongs together.
//
//   millrace local sessions.so --seconds 20
#include <millrace/millrace.h>

using namespace std::chrono_literals;

namespace {
struct Action {
  std::string user;
  std::int64_t time_us = 0;
};
// Each user is busy for a while, then away.
Action MakeAction(std::uint64_t index, std::uint64_t) {
  const std::uint64_t user = index / 20 % 4;
  return {"user" + std::to_string(user), 1'700'000'000'000'000 + static_cast<std::int64_t>(index) * 200'000};
}
}  // namespace

MILLRACE_JOB(sessions, ctx) {
  ctx.BatchInterval(500ms);
  ctx.Generator({.rate = 100}, MakeAction)
      .Uid("actions")
      .WithTimestamps([](const Action& action) { return action.time_us; }, {.max_out_of_orderness = 1s})
      .Map([](const Action& action) { return std::pair(action.user, std::uint64_t{1}); })
      .WindowByKey(millrace::Session(5s))
      .Reduce(std::plus<>())
      .Records()
      .Print();
}
