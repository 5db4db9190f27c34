// Event time: clicks a page and ten seconds, by the time at which they happened. Some come late, some too late.
//
//   millrace local event_time.so --seconds 30
#include <millrace/millrace.h>

using namespace std::chrono_literals;

namespace {

struct Click {
  std::string page;
  std::int64_t time_us = 0;
};

// Ten a second of event time; every seventh click is three seconds late, every fiftieth a minute.
Click MakeClick(std::uint64_t index, std::uint64_t) {
  const std::int64_t late = index % 50 == 49 ? 60'000'000 : index % 7 == 6 ? 3'000'000 : 0;
  return {"page" + std::to_string(index % 3),
          1'700'000'000'000'000 + static_cast<std::int64_t>(index) * 100'000 - late};
}

}  // namespace

MILLRACE_JOB(event_time, ctx) {
  ctx.BatchInterval(500ms);
  const auto counts =
      ctx.Generator({.rate = 100}, MakeClick)
          .Uid("clicks")
          .WithTimestamps([](const Click& click) { return click.time_us; }, {.max_out_of_orderness = 2s})
          .Map([](const Click& click) { return std::pair(click.page, std::uint64_t{1}); })
          .WindowByKey(millrace::Tumbling(10s))
          .AllowedLateness(5s)  // a click that comes up to five seconds after its window's result changes it
          .Count();
  counts.Records().Print();
  counts.LateData().AsDStream().Count().Print();
}
