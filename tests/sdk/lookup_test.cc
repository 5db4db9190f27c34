// LookupCassandra: what it puts into the plan, what it asks for, how rows become fields, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "millrace/testing.h"
#include "tests/sdk/harness.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::JobTest;
using Texts = std::vector<std::string>;

struct Customer {
  std::string name;
  std::int32_t tier = 0;
  std::optional<double> share;
};

CassandraLookupOptions From(std::vector<std::string> columns, std::vector<std::string> keys = {"id"}) {
  return {.contact_points = "h",
          .keyspace = "k",
          .table = "t",
          .key_columns = std::move(keys),
          .columns = std::move(columns)};
}
const CassandraLookupOptions kCustomers = From({"name", "tier", "share"});

auto Lines(JobContext& ctx) { return ctx.TextFiles({.directory = "d"}).Uid("lines"); }
std::string Own(std::string_view text) { return std::string(text); }

// Counts what is asked for.
class Asked : public testing::LookupTables {
 public:
  std::vector<std::shared_ptr<const std::string>> Find(std::uint32_t op, std::span<const std::string> keys) override {
    questions.push_back(keys.size());
    return testing::LookupTables::Find(op, keys);
  }
  std::vector<std::size_t> questions;
};

TEST(LookupTest, EveryRecordMeetsItsRowOrNullInOrder) {
  JobTest job([](JobContext& ctx) {
    ctx.BatchInterval(std::chrono::seconds(1));
    Lines(ctx)
        .LookupCassandra<Customer>(kCustomers, Own,
                                   [](std::string_view line, const Customer* row) {
                                     if (row == nullptr) return std::string(line) + ":none";
                                     return std::string(line) + ":" + row->name + "/" + std::to_string(row->tier) +
                                            (row->share ? "/share" : "");
                                   })
        .Uid("lookup")
        .ToFiles({.directory = "d"})
        .Uid("out");
  });
  job.Table<std::string, Customer>("lookup", {{"a", {"Ada", 3, 0.5}}, {"b", {"Bob", -1, std::nullopt}}});
  job.Input("lines", {"b", "x", "a", "b"});
  job.RunBatch();
  EXPECT_THAT(job.Texts("out"), ElementsAre("b:Bob/-1", "x:none", "a:Ada/3/share", "b:Bob/-1"));
  job.Table<std::string, Customer>("lookup", {{"x", {"Xia", 1, std::nullopt}}});
  job.Input("lines", {"x", "a"});
  job.RunBatch();
  EXPECT_THAT(job.Texts("out"), ElementsAre("x:Xia/1", "a:none"));
}

TEST(LookupTest, AFunctionOfAReferenceLeavesOutRecordsWithoutRow) {
  JobTest job([](JobContext& ctx) {
    ctx.BatchInterval(std::chrono::seconds(1));
    using Row = std::tuple<std::string_view, bool>;
    Lines(ctx)
        .LookupCassandra<Row>(
            From({"name", "vip"}, {"id", "day"}),
            [](std::string_view line) { return std::pair(line, std::int64_t{7}); },
            [](std::string_view, const Row& row) { return std::get<0>(row); })  // a view into the row
        .Uid("lookup")
        .ToFiles({.directory = "d"})
        .Uid("out");
  });
  job.Table<std::pair<std::string, int>, std::tuple<std::string, bool>>(
      "lookup", {{{"a", 7}, {"Ada", true}}, {{"b", 8}, {"Bob", false}}});
  job.Input("lines", {"a", "b", "a"});
  job.RunBatch();
  EXPECT_THAT(job.Texts("out"), ElementsAre("Ada", "Ada"));
}

TEST(LookupTest, AChunkAsksOnceForItsDifferentKeys) {
  Harness job([](JobContext& ctx) {
    Lines(ctx)
        .LookupCassandra<std::tuple<int>>(From({"n"}), Own,
                                          [](std::string_view line, const std::tuple<int>* row) {
                                            return std::pair(std::string(line), row == nullptr ? 0 : std::get<0>(*row));
                                          })
        .ToFiles({.directory = "d"});
  });
  Asked asked;
  asked.Set<std::string, std::tuple<int>>(1, {{"0", {10}}, {"1", {11}}});
  job.lookups = &asked;
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < engine::kChunkRecords + 4; ++i) lines.push_back(std::to_string(i % 3));
  job.Feed(0, {lines});
  job.RunBatch();
  EXPECT_THAT(asked.questions, ElementsAre(3U, 3U));
  const Texts texts = job.texts(2);
  ASSERT_EQ(texts.size(), lines.size());
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(texts[i], Texts({"(0, 10)", "(1, 11)", "(2, 0)"})[i % 3]);
}

TEST(LookupTest, NullsAndNumbersWithoutRoomAreBadRecords) {
  const auto body = [](JobContext& ctx, bool skip) {
    ctx.BatchInterval(std::chrono::seconds(1));
    auto looked_up = Lines(ctx).LookupCassandra<std::tuple<std::int8_t>>(
        From({"tier"}),
        [](std::string_view line) {
          if (line == "bad") throw std::invalid_argument("no key");
          return std::string(line);
        },
        [](std::string_view line, const std::tuple<std::int8_t>& row) {
          return std::string(line) + std::to_string(std::get<0>(row));
        });
    if (skip) looked_up.SkipBadRecords();
    looked_up.Uid("lookup").ToFiles({.directory = "d"}).Uid("out");
  };
  const std::vector<std::pair<std::string, std::tuple<std::optional<int>>>> rows = {
      {"null", {std::nullopt}}, {"big", {300}}, {"low", {-128}}};
  JobTest skips([&](JobContext& ctx) { body(ctx, true); });
  skips.Table("lookup", rows);
  skips.Input("lines", {"null", "low", "bad", "big", "none", "low"});
  skips.RunBatch();
  EXPECT_THAT(skips.Texts("out"), ElementsAre("low-128", "low-128"));
  EXPECT_EQ(skips.Count("lookup", "bad_records"), 3U);

  const auto error = [&](const std::string& line) {
    JobTest job([&](JobContext& ctx) { body(ctx, false); });
    job.Table("lookup", rows);
    job.Input("lines", {line});
    try {
      job.RunBatch();
    } catch (const std::runtime_error& e) {
      return std::string(e.what());
    }
    return std::string("none");
  };
  EXPECT_THAT(error("null"), HasSubstr("column 'tier' is null; make the field a std::optional"));
  EXPECT_THAT(error("big"), HasSubstr("column 'tier' has a number for which the field has no room"));
  EXPECT_THAT(error("bad"), HasSubstr("no key"));
  EXPECT_EQ(error("low"), "none");
}

TEST(LookupTest, ATestWithoutATableIsToldSo) {
  JobTest job([](JobContext& ctx) {
    ctx.BatchInterval(std::chrono::seconds(1));
    Lines(ctx)
        .LookupCassandra<std::tuple<int>>(From({"n"}), Own, [](std::string_view, const std::tuple<int>&) { return 1; })
        .ToFiles({.directory = "d"});
  });
  job.Input("lines", {"a"});
  try {
    job.RunBatch();
    FAIL() << "it looked up nothing";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("call JobTest::Table before"));
  }
}

TEST(LookupTest, EveryKindOfValueIsReadAsItWasWritten) {
  using Time = std::chrono::sys_time<std::chrono::milliseconds>;
  using Row = std::tuple<bool, std::uint64_t, float, std::string, CassandraBlob, CassandraUuid, Time>;
  CassandraUuid uuid;
  uuid.bytes[15] = 9;
  const Row row{true, INT64_MAX, 0.5F, "t", {"blob"}, uuid, Time(std::chrono::milliseconds(-1500))};
  std::string bytes;
  detail::AppendCassandraKey(bytes, row);
  Row read;
  std::size_t column = 0;
  EXPECT_EQ(detail::ReadCassandraValues(bytes, read, column), "");
  EXPECT_EQ(std::get<1>(read), std::uint64_t{INT64_MAX});
  EXPECT_EQ(std::get<3>(read), "t");
  EXPECT_EQ(std::get<4>(read).bytes, "blob");
  EXPECT_EQ(std::get<5>(read).bytes, uuid.bytes);
  EXPECT_EQ(std::get<6>(read), std::get<6>(row));
  EXPECT_EQ(detail::ReadCassandraValues(bytes.substr(0, bytes.size() - 1), read, column), "is damaged");
  EXPECT_EQ(column, 6U);
}

TEST(LookupTest, ThePlanHasTheOptionsAndWhatIsMissingIsRefused) {
  const auto plan = [](const CassandraLookupOptions& options) -> std::string {
    try {
      Harness job([&](JobContext& ctx) {
        Lines(ctx)
            .LookupCassandra<Customer>(options, Own, [](std::string_view, const Customer*) { return 1; })
            .ToFiles({.directory = "d"});
      });
      const engine::OperatorDescription& op = job.graph().operators[1];
      EXPECT_EQ(op.connector, "cassandra");
      EXPECT_EQ(op.options.at("key_kinds"), "text");
      EXPECT_EQ(op.options.at("kinds"), "text,integer,real");
      EXPECT_EQ(op.options.at("cache_ttl_ms"), "60000");
      return "none";
    } catch (const std::invalid_argument& error) {
      const std::string text = error.what();
      return text.substr(text.find(": ") + 2);
    }
  };
  EXPECT_EQ(plan(kCustomers), "none");
  EXPECT_EQ(plan({}), "option contact_points is empty; it must be given");
  EXPECT_EQ(plan(From({})), "option columns is empty; it must be given");
  EXPECT_EQ(plan(From({"a", "b", "c"}, {})), "option key_columns is empty; it must be given");
  EXPECT_EQ(plan(From({"a", "b", "c"}, {"x", "y"})),
            "option key_columns names 2 columns (x,y), but the key has 1 fields; name one column for each field, in "
            "their order");
  EXPECT_EQ(plan(From({"a", "b"})),
            "option columns names 2 columns (a,b), but the row has 3 fields; name one column for each field, in their "
            "order");
}

}  // namespace
}  // namespace millrace
