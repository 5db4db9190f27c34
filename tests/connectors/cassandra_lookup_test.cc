// Lookups on a real server: rows, no rows, nulls, every way to be refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "executor/connectors/lookup.h"
#include "millrace/internal/cassandra_lookup.h"
#include "tests/connectors/cassandra_fixture.h"

namespace millrace::cassandra {
namespace {

using testing::HasSubstr;

class CassandraLookupTest : public CassandraTest {
 protected:
  void SetUp() override {
    CassandraTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    Run("CREATE TABLE mr_test." + table_ + " (shop text, id int, name text, since timestamp, PRIMARY KEY (shop, id))");
  }

  std::unique_ptr<LookupReader> Reader(const engine::Options& more = {}) {
    const engine::Options own = {{"key_columns", "shop,id"},
                                 {"key_kinds", "text,integer"},
                                 {"columns", "name,since"},
                                 {"kinds", "text,timestamp"},
                                 {"consistency", "ONE"}};
    auto lookup = MakeLookup(Describe("cassandra", OptionsWith(own, more)));
    EXPECT_TRUE(lookup.ok()) << lookup.status();
    return (*lookup)->NewReader().value();
  }
  std::string OpenError(const engine::Options& more) { return Message(Reader(more)->Open()); }

  // "name@ms", "name@null", or "none", in the order of the keys.
  static std::vector<std::string> Find(LookupReader& reader, const std::vector<std::pair<std::string, int>>& keys) {
    std::vector<std::string> encoded(keys.size());
    std::vector<const std::string*> views;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      detail::AppendCassandraKey(encoded[i], keys[i]);
      views.push_back(&encoded[i]);
    }
    const auto rows = reader.Find(views);
    EXPECT_TRUE(rows.ok()) << rows.status();
    std::vector<std::string> out;
    using Time = std::chrono::sys_time<std::chrono::milliseconds>;
    for (const LookupRow& row : rows.ok() ? *rows : std::vector<LookupRow>()) {
      std::pair<std::string, std::optional<Time>> read;
      std::size_t column = 0;
      if (row != nullptr) {
        EXPECT_EQ(detail::ReadCassandraValues(*row, read, column), "");
      }
      out.push_back(row == nullptr ? "none"
                                   : Concat(read.first, "@",
                                            read.second ? std::to_string(read.second->time_since_epoch().count())
                                                        : std::string("null")));
    }
    return out;
  }
};

TEST_F(CassandraLookupTest, FindsRowsInTheOrderOfTheKeys) {
  Run("INSERT INTO mr_test." + table_ + " (shop, id, name, since) VALUES ('north', 1, 'Ada', 1500)");
  Run("INSERT INTO mr_test." + table_ + " (shop, id, name) VALUES ('north', 2, 'Bob')");
  const auto reader = Reader();
  ASSERT_TRUE(reader->Open().ok());
  EXPECT_EQ(Find(*reader, {{"north", 2}, {"south", 1}, {"north", 1}, {"", 1}}),
            (std::vector<std::string>{"Bob@null", "none", "Ada@1500", "none"}));
  Run("DELETE FROM mr_test." + table_ + " WHERE shop = 'north' AND id = 2");
  EXPECT_EQ(Find(*reader, {{"north", 2}}), std::vector<std::string>{"none"});
  EXPECT_TRUE(Find(*reader, {}).empty());
}

TEST_F(CassandraLookupTest, ManyKeysAreAskedForAtOnce) {
  const auto reader = Reader();
  ASSERT_TRUE(reader->Open().ok());
  std::vector<std::pair<std::string, int>> keys;
  for (int i = 0; i < 1'000; ++i) {
    keys.emplace_back("s" + std::to_string(i % 7), i);
    if (i % 10 == 0) {
      Run(Concat("INSERT INTO mr_test.", table_, " (shop, id, name) VALUES ('", keys.back().first, "', ", i, ", 'n", i,
                 "')"));
    }
  }
  const auto found = Find(*reader, keys);
  ASSERT_EQ(found.size(), keys.size());
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_EQ(found[static_cast<std::size_t>(i)], i % 10 == 0 ? Concat("n", i, "@null") : "none");
  }
}

TEST_F(CassandraLookupTest, WhatDoesNotFitIsRefusedBeforeAnythingIsAsked) {
  EXPECT_THAT(OpenError({{"keyspace", "mr_tes"}}), HasSubstr("there is no keyspace 'mr_tes', did you mean 'mr_test'"));
  EXPECT_THAT(OpenError({{"table", "nothing"}}), HasSubstr("there is no table 'nothing' in keyspace 'mr_test'"));
  EXPECT_THAT(OpenError({{"columns", "nam,since"}}), HasSubstr("has no column 'nam', did you mean 'name'"));
  EXPECT_THAT(OpenError({{"kinds", "integer,timestamp"}}),
              HasSubstr("column 'name' is of type text, and the job reads values of kind integer from it"));
  EXPECT_THAT(OpenError({{"key_columns", "shop"}, {"key_kinds", "text"}}),
              HasSubstr("column 'id' is part of the primary key and not in the option key_columns"));
  EXPECT_THAT(OpenError({{"username", "nobody"}}), HasSubstr("the server refuses user name or password"));
}

TEST_F(CassandraLookupTest, ATableThatIsDroppedIsAnErrorThatSaysSo) {
  const auto reader = Reader();
  ASSERT_TRUE(reader->Open().ok());
  EXPECT_EQ(Find(*reader, {{"north", 1}}), std::vector<std::string>{"none"});
  Run("DROP TABLE mr_test." + table_);
  std::string key;
  detail::AppendCassandraKey(key, std::pair("north", 1));
  const std::string* const keys[] = {&key};
  const absl::Status status = reader->Find(keys).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

}  // namespace
}  // namespace millrace::cassandra
