// A keyed process: each event passes once, however often it comes within an hour. What was seen is kept with a time to
// live.
//
//   millrace local dedupe.so --seconds 5
#include <millrace/millrace.h>

using namespace std::chrono_literals;

namespace {

class Once : public millrace::KeyedProcess<std::string, std::uint64_t, std::string> {
 public:
  void OnRecord(Context&, const std::string& id, const std::uint64_t& value, Emit& emit) {
    if (seen_.Exists()) return;
    seen_.Set(true);
    emit(id + " " + std::to_string(value));
  }

 private:
  ValueState<bool> seen_{*this, "seen", {.ttl = 1h}};
};

}  // namespace

MILLRACE_JOB(dedupe, ctx) {
  ctx.BatchInterval(1s);
  ctx.Generator({.rate = 50},
                [](std::uint64_t index, std::uint64_t) {
                  return std::pair("event" + std::to_string(index / 3), index);  // every event comes three times
                })
      .Uid("events")
      .Process<Once>()
      .Uid("once")
      .Print();
}
