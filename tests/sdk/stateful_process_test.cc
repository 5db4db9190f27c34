// Keyed processes: several named states and timers, with both backends, against naive models; state saved and restored
// in the middle; what is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using Texts = std::vector<std::string>;
using Us = std::chrono::microseconds;
constexpr std::uint64_t kAll = 1'000'000;

// "key:value"
auto Pairs(JobContext& ctx) {
  return ctx.TextFiles({.directory = "d"}).Map([](std::string_view t) {
    return std::pair(t.substr(0, t.find(':')), t.substr(t.find(':') + 1));
  });
}

class ProcessTest : public testing::TestWithParam<bool> {
 protected:
  template <class P, class... Args>
  static Harness Make(std::int64_t partitions, Args... args) {
    Harness job([&](JobContext& ctx) { Pairs(ctx).Process<P>({.partitions = partitions}, args...).Print(kAll); });
    job.stored = GetParam();
    return job;
  }
  static Texts Run(Harness& job, std::int64_t time_us, const Harness::Split& records) {
    job.time_us = time_us;
    job.Feed(0, {records});
    job.RunBatch();
    return job.texts(3);
  }
};

// Does what the records say, with states of all kinds; says what there is.
class Script : public KeyedProcess<std::string, std::string_view, std::string> {
 public:
  explicit Script(StateOptions options = {})
      : value_(*this, "value", options),
        list_(*this, "list", {.ttl = options.ttl}),
        map_(*this, "map", options),
        sum_(
            *this, "sum", [](std::string a, const std::string& b) { return a + "+" + b; }, options) {}

  // "v=x" "v+x" "v-" "l+x" "l<n" "l-" "m=kx" "m+kx" "m-k" "m--" "s+x" "s-" "?"
  void OnRecord(Context&, const std::string& key, std::string_view record, Emit& emit) {
    const std::string rest(record.substr(std::min<std::size_t>(2, record.size())));
    const std::string op(record.substr(0, 2));
    if (op == "v=") value_.Set(rest);
    if (op == "v+") value_.Change([&](std::string& value) { value += rest; });
    if (op == "v-") value_.Clear();
    if (op == "l+") list_.Append(rest);
    if (op == "l<") list_.DropFront(static_cast<std::uint64_t>(std::stoi(rest)));
    if (op == "l-") list_.Clear();
    if (op == "m=") map_.Put(rest.substr(0, 1), rest.substr(1));
    if (op == "m+") map_.Change(rest.substr(0, 1), [&](std::string& value) { value += rest.substr(1); });
    if (op == "m-" && rest != "-") map_.Erase(rest);
    if (op == "m-" && rest == "-") map_.Clear();
    if (op == "s+") sum_.Add(rest);
    if (op == "s-") sum_.Clear();
    if (op == "r") static_cast<void>(value_.Exists() && map_.Contains("a"));
    if (op == "?") emit(key + Show());
  }

 private:
  std::string Show() {
    std::string text = " v=" + value_.Get("none") + " l=";
    list_.ForEach([&](const std::string& one) { text += one + ","; });
    EXPECT_EQ(list_.Get().size(), list_.Size());
    EXPECT_EQ(list_.Empty(), list_.Size() == 0);
    text += " m=";
    bool empty = true;
    map_.ForEach([&](const std::string& map_key, const std::string& value) {
      text += map_key + value + ",";
      empty = false;
    });
    EXPECT_EQ(map_.Empty(), empty);
    return text + " s=" + sum_.Get("none");
  }

  ValueState<std::string> value_;
  ListState<std::string> list_;
  MapState<std::string, std::string> map_;
  ReducingState<std::string> sum_;
};

TEST_P(ProcessTest, StatesOfAllKinds) {
  Harness job = Make<Script>(2);
  EXPECT_EQ(
      Run(job, 1,
          {"a:v=1", "a:v+2", "b:l+x", "b:l+y", "a:m=p1", "a:m+p2", "a:m+q3", "a:s+1", "a:s+2", "a:?", "b:?", "c:?"})
          .size(),
      3U);
  EXPECT_EQ(job.sorted_texts(3),
            (Texts{"a v=12 l= m=p12,q3, s=1+2", "b v=none l=x,y, m= s=none", "c v=none l= m= s=none"}));
  job.Restore();
  EXPECT_EQ(Run(job, 2, {"a:?"}), Texts{"a v=12 l= m=p12,q3, s=1+2"});
  EXPECT_EQ(Run(job, 3, {"a:v-", "a:m-p", "a:s-", "a:?"}), Texts{"a v=none l= m=q3, s=none"});
  EXPECT_EQ(Run(job, 3, {"b:l<1", "b:?"}), Texts{"b v=none l=y, m= s=none"});
  EXPECT_EQ(Run(job, 4, {"a:m--", "a:?", "b:l-", "b:?", "b:l+z", "b:?"}).size(), 3U);
  job.Restore();
  EXPECT_EQ(Run(job, 5, {"b:?"}), Texts{"b v=none l=z, m= s=none"});
}

INSTANTIATE_TEST_SUITE_P(Backends, ProcessTest, testing::Bool(),
                         [](const auto& backend) { return backend.param ? "Stored" : "InMemory"; });

// The same states without a partition, a backend or a task.
struct ScriptModel {
  struct Timed {
    std::string text;
    std::int64_t written_us;
  };
  std::int64_t ttl_us;
  bool on_read;
  std::map<std::string, Timed> values, sums;
  std::map<std::string, std::vector<Timed>> lists;
  std::map<std::string, std::map<std::string, Timed>> maps;

  bool Lives(const Timed& one, std::int64_t now) const { return ttl_us == 0 || now < one.written_us + ttl_us; }
  Timed* Find(std::map<std::string, Timed>& in, const std::string& key, std::int64_t now, bool reads) const {
    const auto at = in.find(key);
    if (at == in.end()) return nullptr;
    if (!Lives(at->second, now)) return in.erase(at), nullptr;
    if (reads && on_read) at->second.written_us = now;
    return &at->second;
  }
  void Add(std::map<std::string, Timed>& in, const std::string& key, std::int64_t now, const std::string& more) const {
    Timed* one = Find(in, key, now, false);
    in[key] = {(one == nullptr ? "" : one->text) + more, now};
  }
  void Do(const std::string& key, const std::string& record, std::int64_t now, Texts& out) {
    const std::string rest = record.substr(std::min<std::size_t>(2, record.size()));
    const std::string op = record.substr(0, 2);
    auto& list = lists[key];
    auto& map = maps[key];
    std::erase_if(list, [&](const Timed& one) { return !Lives(one, now); });
    if (op == "v=") values[key] = {rest, now};
    if (op == "v+") Add(values, key, now, rest);
    if (op == "v-") values.erase(key);
    if (op == "l+") list.push_back({rest, now});
    if (op == "l<")
      list.erase(list.begin(), list.begin() + std::min<std::ptrdiff_t>(std::stoi(rest), std::ssize(list)));
    if (op == "l-") list.clear();
    if (op == "m=") map[rest.substr(0, 1)] = {rest.substr(1), now};
    if (op == "m+") Add(map, rest.substr(0, 1), now, rest.substr(1));
    if (op == "m-" && rest != "-") map.erase(rest);
    if (op == "m-" && rest == "-") map.clear();
    if (op == "s+") Add(sums, key, now, (Find(sums, key, now, false) != nullptr ? "+" : "") + rest);
    if (op == "s-") sums.erase(key);
    if (op == "r" && Find(values, key, now, true) != nullptr) Find(map, "a", now, true);
    if (op != "?") return;
    const auto text = [](const Timed* one) { return one == nullptr ? "none" : one->text; };
    std::string shown = key + " v=" + text(Find(values, key, now, true)) + " l=";
    for (const Timed& one : list) shown += one.text + ",";
    shown += " m=";
    for (const auto& [map_key, one] : map) {
      if (Lives(one, now)) shown += map_key + one.text + ",";
    }
    out.push_back(shown + " s=" + text(Find(sums, key, now, true)));
  }
};

struct ScriptCase {
  bool stored;
  std::int64_t ttl_us;
  bool on_read;
  std::int64_t partitions;
  friend void PrintTo(const ScriptCase& c, std::ostream* out) { *out << c.ttl_us << "x" << c.partitions; }
};

class ScriptTest : public testing::TestWithParam<ScriptCase> {
 protected:
  static Harness Make() {
    Harness job([](JobContext& ctx) {
      const StateOptions options{.ttl = Us(GetParam().ttl_us), .refresh_on_read = GetParam().on_read};
      Pairs(ctx).Process<Script>({.partitions = GetParam().partitions}, options).Print(kAll);
    });
    job.stored = GetParam().stored;
    return job;
  }
  static Harness::Split Records(std::mt19937_64& random, std::size_t count, int keys) {
    const Texts ops = {"v=",  "v+",  "v+",  "v-",  "l+",  "l+",  "l+", "l+", "l<1", "l<9", "l-", "m=a",
                       "m+a", "m+b", "m=c", "m-a", "m-b", "m--", "s+", "s+", "s-",  "?",   "?",  "r"};
    Harness::Split split;
    for (std::size_t i = 0; i < count; ++i) {
      std::string op = ops[random() % ops.size()];
      if (op == "l+" || op == "v=" || op == "v+" || op == "s+" || op == "m=a" || op == "m+a" || op == "m+b" ||
          op == "m=c") {
        op += std::to_string(random() % 10);
      }
      split.push_back("k" + std::to_string(random() % static_cast<unsigned>(keys)) + ":" + op);
    }
    return split;
  }
};

TEST_P(ScriptTest, AgreesWithTheModel) {
  std::mt19937_64 random(31);
  ScriptModel model{GetParam().ttl_us, GetParam().on_read, {}, {}, {}, {}};
  Harness job = Make();
  for (int batch = 0; batch < 150; ++batch) {
    job.time_us += static_cast<std::int64_t>(random() % 4);
    const Harness::Split records = Records(random, batch % 10 == 7 ? 0 : random() % 150, 12);
    job.Feed(0, {records});
    job.RunBatch();
    Texts expected;
    for (const std::string& record : records) {
      model.Do(record.substr(0, record.find(':')), record.substr(record.find(':') + 1), job.time_us, expected);
    }
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(job.sorted_texts(3), expected) << batch;
    if (batch % 13 == 5) job.Restore();
  }
}

// What has ended goes, and so does every timer.
TEST_P(ScriptTest, NothingPilesUp) {
  std::mt19937_64 random(32);
  Harness job = Make();
  for (int batch = 0; batch < 100; ++batch) {
    job.time_us += 1;
    job.Feed(0, {Records(random, 100, 20)});
    job.RunBatch();
    std::map<std::string, std::size_t> parts;
    for (const auto& [key, value] : job.StateEntries()) ++parts[key.substr(3, key.find('\0', 3) - 3)];
    if (GetParam().ttl_us == 0) continue;
    ASSERT_EQ(parts["value/ttl"], parts["value"]);
    ASSERT_EQ(parts["sum/ttl"], parts["sum"]);
    ASSERT_EQ(parts["map/ttl"], parts["map"]);
    ASSERT_EQ(parts["list/ttl"], parts["list"]);
  }
  if (GetParam().ttl_us == 0) return;
  job.time_us += GetParam().ttl_us;
  job.Feed(0, {{}});
  job.RunBatch();
  EXPECT_EQ(job.StateEntries(), (std::map<std::string, std::string>()));
}

TEST_P(ScriptTest, ARestoreChangesNothingNotEvenTheOrder) {
  std::mt19937_64 random(33);
  Harness plain = Make();
  Harness moved = Make();
  for (int batch = 0; batch < 50; ++batch) {
    const Harness::Split records = Records(random, random() % 60, 12);
    const auto pause = static_cast<std::int64_t>(random() % 3);
    for (Harness* job : {&plain, &moved}) {
      job->time_us += pause;
      job->Feed(0, {records});
      job->RunBatch();
    }
    moved.Restore();
    ASSERT_EQ(plain.texts(3), moved.texts(3)) << batch;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, ScriptTest,
                         testing::Values(ScriptCase{false, 0, false, 1}, ScriptCase{true, 0, false, 3},
                                         ScriptCase{false, 5, false, 2}, ScriptCase{true, 5, false, 2},
                                         ScriptCase{false, 5, true, 1}, ScriptCase{true, 5, true, 1},
                                         ScriptCase{false, 1, false, 128}, ScriptCase{true, 40, true, 128}),
                         [](const auto& shape) {
                           const ScriptCase& c = shape.param;
                           return std::string(c.stored ? "Stored" : "InMemory") + "Ttl" + std::to_string(c.ttl_us) +
                                  (c.on_read ? "OnRead" : "OnWrite") + std::to_string(c.partitions);
                         });

}  // namespace
}  // namespace millrace
