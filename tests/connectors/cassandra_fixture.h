// A real Cassandra server for the tests: a keyspace, a session of its own, a table's name that no other test has.
//
// MILLRACE_TEST_CASSANDRA=host:port names the server; it was started with `scripts/servers/cassandra.sh start --auth`.
// Without it every test skips itself.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "executor/connectors/cassandra/session.h"
#include "tests/connectors/collect.h"

namespace millrace::cassandra {

inline Deadline In(int seconds) { return std::chrono::steady_clock::now() + std::chrono::seconds(seconds); }

class CassandraTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* server = std::getenv("MILLRACE_TEST_CASSANDRA");
    if (server == nullptr) GTEST_SKIP() << "MILLRACE_TEST_CASSANDRA is not set";
    server_ = server;
    password_file_ = std::filesystem::path(testing::TempDir()) / ("millrace-cassandra-" + std::to_string(getpid()));
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
    table_ = "t" + std::to_string(getpid()) + "_" + std::to_string(++tables_);
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

  // How to reach the table; `own` and then `more` come on top.
  engine::Options OptionsWith(engine::Options own, const engine::Options& more) const {
    engine::Options options = {{"contact_points", server_},
                               {"keyspace", "mr_test"},
                               {"table", table_},
                               {"username", "cassandra"},
                               {"password_file", password_file_.string()}};
    options.merge(own);
    for (const auto& [name, value] : more) options[name] = value;
    return options;
  }

  std::string server_;
  std::filesystem::path password_file_;
  std::unique_ptr<Session> session_;
  std::string table_;
  static inline int tables_ = 0;
};

}  // namespace millrace::cassandra
