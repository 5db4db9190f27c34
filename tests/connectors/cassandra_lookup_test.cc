// Lookups on a real server: rows, no rows, nulls, every way to be refused.
//
// MILLRACE_TEST_CASSANDRA=host:port names the server; it was started with `scripts/servers/cassandra.sh start --auth`.
// Without it every test skips itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "executor/connectors/cassandra/session.h"
#include "executor/connectors/lookup.h"
#include "millrace/internal/cassandra_lookup.h"
#include "tests/connectors/collect.h"

namespace millrace::cassandra {
namespace {

using testing::HasSubstr;

Deadline In(int seconds) { return std::chrono::steady_clock::now() + std::chrono::seconds(seconds); }

class CassandraLookupTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* server = std::getenv("MILLRACE_TEST_CASSANDRA");
    if (server == nullptr) GTEST_SKIP() << "MILLRACE_TEST_CASSANDRA is not set";
    server_ = server;
    password_file_ = std::filesystem::path(testing::TempDir()) / ("millrace-lookup-" + std::to_string(getpid()));
    std::ofstream(password_file_) << "cassandra\n";
    ClientOptions options;
    options.contact_points = net::ParseEndpoints(server_, 9042).value();
    options.username = "cassandra";
    options.password_file = password_file_;
    auto session = Session::Open(options, nullptr, In(20));
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
    Run("CREATE KEYSPACE IF NOT EXISTS mr_test WITH replication = {'class': 'SimpleStrategy', 'replication_factor': "
        "1}");
    table_ = "l" + std::to_string(getpid()) + "_" + std::to_string(++tables_);
    Run("CREATE TABLE mr_test." + table_ + " (shop text, id int, name text, since timestamp, PRIMARY KEY (shop, id))");
  }
  void TearDown() override {
    if (session_ != nullptr) Run("DROP TABLE IF EXISTS mr_test." + table_);
    if (!password_file_.empty()) std::filesystem::remove(password_file_);
  }

  RowSet Run(const std::string& cql) {
    auto rows = session_->Call({cql, {}, Consistency::kQuorum}, "test", In(30));
    EXPECT_TRUE(rows.ok()) << cql << ": " << rows.status();
    return rows.ok() ? *rows : RowSet();
  }

  std::unique_ptr<LookupReader> Reader(engine::Options more = {}) {
    engine::Options options = {{"contact_points", server_},
                               {"keyspace", "mr_test"},
                               {"table", table_},
                               {"key_columns", "shop,id"},
                               {"key_kinds", "text,integer"},
                               {"columns", "name,since"},
                               {"kinds", "text,timestamp"},
                               {"consistency", "ONE"},
                               {"username", "cassandra"},
                               {"password_file", password_file_.string()}};
    for (auto& [name, value] : more) options[name] = value;
    auto lookup = MakeLookup(Describe("cassandra", std::move(options)));
    EXPECT_TRUE(lookup.ok()) << lookup.status();
    return (*lookup)->NewReader().value();
  }
  std::string OpenError(engine::Options more) { return Message(Reader(std::move(more))->Open()); }

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

  std::string server_;
  std::filesystem::path password_file_;
  std::unique_ptr<Session> session_;
  std::string table_;
  static inline int tables_ = 0;
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
