// A random pipeline as a job: the operations of program.h on a DStream of (text, number).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "millrace/millrace.h"
#include "tests/random_pipelines/program.h"

namespace millrace::random_pipelines {

using Record = std::pair<std::string, std::uint64_t>;
using Stream = DStream<Record>;

// A stream and its slide.
struct Built {
  Stream stream;
  std::chrono::microseconds slide;
};

inline Stream Stateless(const Operation& op, const Stream& in) {
  const std::uint64_t a = op.a;
  const std::string& name = op.name;
  if (name == "map") return in.Map([a](const Record& r) { return Record(r.first, r.second * a + 1); });
  if (name == "rekey")
    return in.Map([a](const Record& r) { return Record("r" + std::to_string(r.second % (a + 1)), r.second); });
  if (name == "filter") return in.Filter([a](const Record& r) { return r.second % (a + 1) != 0; });
  if (name == "flat") {
    return in.FlatMap([a](const Record& r, auto& emit) {
      for (std::uint64_t i = 0; i < a % 3; ++i) emit(Record(r.first, r.second + i));
    });
  }
  if (name == "union") return in.Union(in.Map([](const Record& r) { return Record(r.first + "'", r.second + 1); }));
  if (name == "spread") return in.Repartition(static_cast<std::int64_t>(a));
  if (name == "reduce") return in.ReduceByKey(std::plus<>());
  if (name == "max") return in.ReduceByKey([](std::uint64_t x, std::uint64_t y) { return std::max(x, y); });
  if (name == "count") return in.Count().Map([](std::uint64_t n) { return Record("count", n); });
  return in.Map([](const Record& r) { return r.second; }).Reduce(std::plus<>()).Map([](std::uint64_t sum) {
    return Record("total", sum);
  });  // total
}

inline Record GroupRecord(const std::pair<std::string, std::vector<std::uint64_t>>& group) {
  std::uint64_t sum = 0;
  for (const std::uint64_t value : group.second) sum += value;
  return Record(group.first, sum * 31 + group.second.size());
}
inline Record ValueRecord(const std::pair<Record, std::uint64_t>& count) {
  return Record(count.first.first + "=" + std::to_string(count.first.second), count.second);
}

inline Stream Joined(const Operation& op, const Stream& in) {
  if (op.name == "join") {
    return in.Join(in.ReduceByKey(std::plus<>())).Map([](const auto& r) {
      return Record(r.first, r.second.first * 3 + r.second.second);
    });
  }
  const std::uint64_t a = op.a;
  const Stream some = in.Filter([a](const Record& r) { return r.second % (a + 1) == 0; });
  if (op.name == "leftjoin") {
    return in.LeftOuterJoin(some).Map([](const auto& r) {
      const auto& [v, w] = r.second;
      return Record(r.first, w ? v * 3 + *w : v * 5);
    });
  }
  return in.Cogroup(some).Map(
      [](const auto& r) { return Record(r.first, r.second.first.size() * 100 + r.second.second.size()); });
}

inline Stream Stateful(const Operation& op, const Stream& in) {
  const std::uint64_t a = op.a;
  if (op.name == "mapstate") {
    return in.MapWithState(
        StateSpec([](const std::string& key, std::optional<std::uint64_t>, StateHandle<std::uint64_t>& state) {
          state.Update(state.GetOr(0) + 1);
          return Record(key, state.Get());
        }));
  }
  const bool sweep = op.name == "update";
  return in.UpdateStateByKey(
      [a, sweep](const std::string&, std::span<const std::uint64_t> values, std::optional<std::uint64_t> state) {
        std::uint64_t next = state ? *state + 1 : 0;
        for (const std::uint64_t value : values) next += value;
        return sweep && next % (a + 2) == 0 ? std::optional<std::uint64_t>() : std::optional(next);
      },
      UpdateOptions{.sweep = sweep});
}

inline Built Windowed(const Operation& op, const Built& in) {
  const auto length = in.slide * op.a;
  const auto slide = in.slide * op.b;
  const Stream& s = in.stream;
  if (op.name == "window") return {s.Window(length, slide), slide};
  if (op.name == "winreduce") return {s.ReduceByKeyAndWindow(std::plus<>(), length, slide), slide};
  if (op.name == "wincount") {
    return {s.CountByWindow(length, slide).Map([](std::uint64_t n) { return Record("wincount", n); }), slide};
  }
  if (op.name == "wingroup") return {s.GroupByKeyAndWindow(length, slide).Map(GroupRecord), slide};
  return {s.CountByValueAndWindow(length, slide).Map(ValueRecord), slide};  // winvalues
}

inline Built Build(const Program& program, Built built) {
  for (const Operation& op : program) {
    if (op.name.starts_with("win")) {
      built = Windowed(op, built);
    } else if (op.name == "update" || op.name == "touched" || op.name == "mapstate") {
      built.stream = Stateful(op, built.stream);
    } else if (op.name == "join" || op.name == "leftjoin" || op.name == "cogroup") {
      built.stream = Joined(op, built.stream);
    } else if (op.name == "group") {
      built.stream = built.stream.GroupByKey().Map(GroupRecord);
    } else if (op.name == "values") {
      built.stream = built.stream.CountByValue().Map(ValueRecord);
    } else {
      built.stream = Stateless(op, built.stream);
    }
  }
  return built;
}

}  // namespace millrace::random_pipelines
