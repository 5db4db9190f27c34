// JoinTable, LeftJoinTable and WithBroadcast over many batches, with both state backends and with restores in between,
// against models that are a std::map and a single value.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using Texts = std::vector<std::string>;
using Splits = std::vector<Harness::Split>;

constexpr std::uint64_t kAll = 1'000'000;

std::uint32_t Last(const Harness& job) { return static_cast<std::uint32_t>(job.graph().operators.size() - 1); }

std::pair<std::string_view, std::string_view> KeyAndValue(std::string_view line) {
  const std::size_t at = line.find('=');
  return {line.substr(0, at), line.substr(at + 1)};
}
// "k=" deletes.
std::pair<std::string_view, std::optional<std::string_view>> KeyAndChange(std::string_view line) {
  const auto [key, value] = KeyAndValue(line);
  if (value.empty()) return {key, std::nullopt};
  return {key, value};
}

struct Shape {
  const char* name;
  std::size_t splits;
  std::size_t records;  // of each stream, in each batch
  std::uint32_t keys;
  std::int64_t partitions;
};
const std::vector<Shape> kShapes = {
    {"nothing", 2, 0, 3, 4},
    {"one record", 1, 1, 1, 1},
    {"one key", 3, 40, 1, 3},
    {"some keys", 3, 60, 20, 4},
    {"more partitions than records", 2, 5, 10, 64},
    {"many keys", 2, 300, 2000, 3},
};

struct Setting {
  bool stored;
  bool restored;  // after each batch
};
const std::vector<Setting> kSettings = {{false, false}, {false, true}, {true, false}, {true, true}};

// A table, changed and looked up for some batches.
template <class J>
void CheckTable(bool outer, const J& join) {
  for (const Shape& shape : kShapes) {
    for (const Setting& setting : kSettings) {
      Harness job([&](JobContext& ctx) {
        const auto records = ctx.TextFiles({.directory = "a"}).Map(KeyAndValue);
        const auto changes = ctx.TextFiles({.directory = "b"}).Map(KeyAndChange);
        join(records, changes, shape.partitions).Print(kAll);
      });
      job.stored = setting.stored;
      std::mt19937 random(5);
      std::map<std::string, std::string> model;
      const auto key = [&] { return "k" + std::to_string(random() % shape.keys); };
      for (int batch = 0; batch < 6; ++batch) {
        Splits records(shape.splits), changes(shape.splits);
        Texts want;
        // The changes of a batch: a key's come from one split, or the last split wins.
        for (std::size_t s = 0; s < shape.splits && batch != 3; ++s) {
          for (std::size_t i = 0; i < shape.records / shape.splits; ++i) {
            const std::string k = key();
            const std::string v = random() % 4 == 0 ? "" : std::to_string(random() % 1000);
            changes[s].push_back(k + "=" + v);
            if (v.empty()) {
              model.erase(k);
            } else {
              model[k] = v;
            }
          }
        }
        for (std::size_t i = 0; i < shape.records; ++i) {
          const std::string k = key();
          records[i % shape.splits].push_back(k + "=" + std::to_string(i));
          const auto at = model.find(k);
          if (at == model.end() && !outer) continue;
          want.push_back("(" + k + ", (" + std::to_string(i) + ", " + (at == model.end() ? "none" : at->second) + "))");
        }
        std::sort(want.begin(), want.end());
        job.chunk = batch % 2 == 0 ? engine::kChunkRecords : 3;
        job.Feed(0, records);
        job.Feed(2, changes);
        job.RunBatch();
        EXPECT_EQ(job.sorted_texts(Last(job)), want) << shape.name << ", batch " << batch;
        if (setting.restored) job.Restore();
      }
      EXPECT_EQ(job.StateEntries().size(), model.size()) << shape.name;
    }
  }
}

TEST(JoinTableTest, JoinTable) {
  CheckTable(false, [](auto records, auto changes, auto n) { return records.JoinTable(changes, n); });
}
TEST(JoinTableTest, LeftJoinTable) {
  CheckTable(true, [](auto records, auto changes, auto n) { return records.LeftJoinTable(changes, n); });
}

TEST(JoinTableTest, ChangesAreMadeBeforeRecordsAreLookedUp) {
  Harness job([](JobContext& ctx) {
    const auto records = ctx.TextFiles({.directory = "a"}).Map(KeyAndValue);
    const auto changes = ctx.TextFiles({.directory = "b"}).Map(KeyAndValue);  // values, no optionals
    records.LeftJoinTable(changes, 1).Print();
  });
  job.Feed(0, {{"a=1", "b=2"}, {"a=3"}});
  job.Feed(2, {{"a=x", "a=y"}, {}, {"a=z"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(Last(job)), (Texts{"(a, (1, z))", "(b, (2, none))", "(a, (3, z))"}));
  job.Feed(0, {{"a=4"}});
  job.Feed(2, {});
  job.RunBatch();
  EXPECT_EQ(job.texts(Last(job)), Texts{"(a, (4, z))"});
}

// Records and changes that are branches of one stream come in one block.
TEST(JoinTableTest, BranchesOfOneStream) {
  Harness job([](JobContext& ctx) {
    const auto lines = ctx.TextFiles({.directory = "a"}).Map(KeyAndValue);
    const auto plain = lines.Filter([](const auto& pair) { return pair.second[0] != '!'; });
    const auto marked = lines.Filter([](const auto& pair) { return pair.second[0] == '!'; });
    plain.JoinTable(marked, 2).Print();
  });
  job.Feed(0, {{"a=1", "a=!x", "b=2", "a=3"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(Last(job)), (Texts{"(a, (1, !x))", "(a, (3, !x))"}));
}

TEST(JoinTableTest, PlanSaysWhatIsKept) {
  const Harness job([](JobContext& ctx) {
    const auto records = ctx.TextFiles({.directory = "a"}).Map(KeyAndValue);
    const auto changes = ctx.TextFiles({.directory = "b"}).Map(KeyAndChange);
    records.JoinTable(changes, 3).Uid("users").Print();
    records.WithBroadcast(changes, [](const auto& pair, const auto*) { return pair; }).Uid("model").Print();
  });
  const auto& ops = job.graph().operators;
  EXPECT_EQ(ops[6].uid, "users");
  EXPECT_TRUE(ops[6].stateful);
  EXPECT_EQ(ops[6].state, "JoinTable of std::string to std::string");
  EXPECT_EQ(ops[6].key_groups, 128u);
  EXPECT_EQ(ops[6].output_type, "std::pair<std::string_view, std::pair<std::string_view, std::string>>");
  EXPECT_EQ(ops[4].name, "JoinTable (left)");
  EXPECT_EQ(ops[10].state, "WithBroadcast of std::pair<std::string, std::optional<std::string>>");
}

// ---- WithBroadcast ----

std::string Show(std::string_view record, const std::string* value) {
  return std::string(record) + ":" + (value == nullptr ? "none" : *value);
}

TEST(JoinBroadcastTest, EveryPartitionSeesTheLastValue) {
  for (const Shape& shape : kShapes) {
    for (const Setting& setting : kSettings) {
      Harness job([&](JobContext& ctx) {
        const auto records = ctx.TextFiles({.directory = "a"});
        const auto values = ctx.TextFiles({.directory = "b"});
        records.WithBroadcast(values, Show, shape.partitions).Print(kAll);
      });
      job.stored = setting.stored;
      std::string value = "none";
      for (int batch = 0; batch < 6; ++batch) {
        Splits records(shape.splits), values(2);
        Texts want;
        if (batch == 1 || batch == 4) {
          value = "v" + std::to_string(batch);
          values[0] = {"older", "old"};
          values[batch == 1 ? 1 : 0].push_back(value);
        }
        for (std::size_t i = 0; i < shape.records; ++i) {
          records[i % shape.splits].push_back(std::to_string(i));
          want.push_back(std::to_string(i) + ":" + value);
        }
        std::sort(want.begin(), want.end());
        job.chunk = batch % 2 == 0 ? engine::kChunkRecords : 2;
        job.Feed(0, records);
        job.Feed(1, values);
        job.RunBatch();
        EXPECT_EQ(job.sorted_texts(Last(job)), want) << shape.name << ", batch " << batch;
        if (setting.restored) job.Restore();
      }
      // Once for each key group, whatever the number of partitions.
      EXPECT_EQ(job.StateEntries().size(), 128u);
    }
  }
}

TEST(JoinBroadcastTest, RecordsOfAPartitionStayTogetherAndInOrder) {
  Harness job([](JobContext& ctx) {
    const auto records = ctx.TextFiles({.directory = "a"});
    records.WithBroadcast(ctx.TextFiles({.directory = "b"}), Show, 2).Print(kAll);
  });
  Splits splits(3);
  for (int i = 0; i < 3000; ++i) splits[1].push_back(std::to_string(i));
  splits[0] = {"a", "b"};
  splits[2] = {"c"};
  job.Feed(0, splits);
  job.RunBatch();
  Texts even, odd;
  for (const HarnessRow& row : job.rows(Last(job))) (row.partition == 0 ? even : odd).push_back(row.value);
  EXPECT_EQ(even, (Texts{"a:none", "b:none", "c:none"}));
  ASSERT_EQ(odd.size(), 3000u);
  EXPECT_EQ(odd[2999], "2999:none");
}

// A restored value is there for any number of partitions: the job's next version may have another.
TEST(JoinBroadcastTest, TheValueSurvivesAnotherNumberOfPartitions) {
  const auto build = [](std::int64_t partitions) {
    return [partitions](JobContext& ctx) {
      const auto records = ctx.TextFiles({.directory = "a"});
      records.WithBroadcast(ctx.TextFiles({.directory = "b"}), Show, partitions).Uid("model").Print(kAll);
    };
  };
  Harness first(build(3));
  first.Feed(1, {{"v"}});
  first.RunBatch();
  const auto entries = first.StateEntries();
  for (const std::int64_t partitions : {1, 2, 7, 128}) {
    Harness next(build(partitions));
    const std::uint32_t stage = 2;
    for (std::uint32_t p = 0; p < partitions; ++p) {
      const auto state = next.program().NewState(stage, p, nullptr);
      std::uint32_t loaded = 0;
      for (const auto& [key, value] : entries) {
        const std::size_t at = key.size() - 2;
        const auto group = static_cast<std::uint32_t>((static_cast<unsigned char>(key[at]) << 8) |
                                                      static_cast<unsigned char>(key[at + 1]));
        if (detail::PartitionOfGroup(group, 128, static_cast<std::uint32_t>(partitions)) != p) continue;
        state->Load(key, value);
        ++loaded;
      }
      EXPECT_GT(loaded, 0u);
      state->Loaded();
      struct Output : engine::TaskOutput {
        Texts rows;
        void Block(std::uint32_t, std::uint32_t, std::string, std::uint64_t) override {}
        void Count(std::uint32_t, std::string_view, std::uint64_t) override {}
        void Rows(std::uint32_t, std::span<const engine::SinkRow> given) override {
          for (const engine::SinkRow& row : given) rows.emplace_back(row.value);
        }
      } output;
      engine::TaskContext context;
      context.stage = stage;
      context.partition = p;
      context.state = state.get();
      const auto task = next.program().NewTask(context, output);
      detail::SideBlocks blocks(1);
      blocks.left().Add(0, std::string("r"));
      struct Taker : engine::TaskOutput {
        std::string data;
        void Block(std::uint32_t, std::uint32_t, std::string block, std::uint64_t) override { data = std::move(block); }
        void Count(std::uint32_t, std::string_view, std::uint64_t) override {}
        void Rows(std::uint32_t, std::span<const engine::SinkRow>) override {}
      } taker;
      blocks.Give(0, taker);
      task->Block(taker.data);
      task->Finish();
      EXPECT_EQ(output.rows, Texts{"r:v"}) << p << " of " << partitions;
    }
  }
}

TEST(JoinBroadcastTest, EmitsAndGivesViews) {
  Harness job([](JobContext& ctx) {
    const auto records = ctx.TextFiles({.directory = "a"}).Map([](std::string_view t) { return std::string(t); });
    const auto values = ctx.TextFiles({.directory = "b"}).Map([](std::string_view t) { return t.size(); });
    records
        .WithBroadcast<std::size_t>(
            values,
            [](const std::string&, const std::size_t* n, auto&& emit) {
              for (std::size_t i = 0; n != nullptr && i < *n; ++i) emit(i);
            },
            1)
        .Print(kAll);
    // A view of a record that is decoded for the call.
    records
        .WithBroadcast(
            values, [](const std::string& t, const auto*) { return std::string_view(t).substr(1); }, 2)
        .Print(kAll);
    records.Count().Print();
  });
  const std::string longest = "a long text that no small string would hold";
  job.Feed(0, {{longest}, {"xy"}});
  job.Feed(2, {{"1", "333"}});
  job.RunBatch();
  EXPECT_EQ(job.texts(7), (Texts{"0", "1", "2", "0", "1", "2"}));
  EXPECT_EQ(job.texts(11), (Texts{longest.substr(1), "y"}));
}

}  // namespace
}  // namespace millrace
