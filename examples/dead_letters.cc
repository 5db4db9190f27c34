// Bad records: what cannot be read goes to files of its own, with the reason and the place it came from; the rest goes
// on.
//
//   millrace local dead_letters.so --arg input=/var/log/numbers --arg bad=/tmp/bad --seconds 5
#include <millrace/millrace.h>

using namespace std::chrono_literals;

MILLRACE_JOB(dead_letters, ctx) {
  ctx.BatchInterval(500ms);
  const auto numbers =
      ctx.TextFiles({.directory = ctx.Arg("input"), .bounded = false}).Uid("lines").Map([](std::string_view line) {
        return std::stol(std::string(line));
      });
  numbers.Uid("parse").Reduce(std::plus<>()).Print();
  numbers.BadRecords().Uid("bad").ToFiles({.directory = ctx.Arg("bad")}, [](const millrace::BadRecord& bad) {
    return bad.topic + ":" + std::to_string(bad.position.value_or(-1)) + ": " + bad.reason + ": " + bad.bytes;
  });
}
