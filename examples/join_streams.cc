// Joins: clicks with the views of the last five seconds, and each with what is known of its user. The table of users is
// a stream itself: its changes hold from the batch in which they come.
//
//   millrace local join_streams.so --seconds 5
#include <millrace/millrace.h>

using namespace std::chrono_literals;
using Pair = std::pair<std::string, std::string>;

namespace {
std::string User(std::uint64_t n) { return "user" + std::to_string(n % 5); }
}  // namespace

MILLRACE_JOB(join_streams, ctx) {
  ctx.BatchInterval(1s);
  const auto views =
      ctx.Generator({.rate = 6},
                    [](std::uint64_t i, std::uint64_t) { return Pair(User(i), "page" + std::to_string(i % 3)); })
          .Uid("views");
  const auto clicks =
      ctx.Generator({.rate = 2},
                    [](std::uint64_t i, std::uint64_t) { return Pair(User(i * 3), "ad" + std::to_string(i)); })
          .Uid("clicks");
  const auto users =
      ctx.Generator({.rate = 1},
                    [](std::uint64_t i, std::uint64_t) { return Pair(User(i), "from town " + std::to_string(i)); })
          .Uid("users");
  clicks.Join(views.Window(5s).Uid("recent views")).Print();
  clicks.LeftJoinTable(users).Uid("user table").Print();
}
