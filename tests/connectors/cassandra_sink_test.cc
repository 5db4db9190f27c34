// The sink "cassandra" on a real server: rows, replays, deletes, fences, and every way to be refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "millrace/cassandra.h"
#include "tests/connectors/cassandra_fixture.h"

namespace millrace::cassandra {
namespace {

using testing::HasSubstr;

class CassandraSinkTest : public CassandraTest {
 protected:
  void CreateTable() { Run("CREATE TABLE mr_test." + table_ + " (word text PRIMARY KEY, n bigint, note text)"); }
  // "word=n/note@time of n", sorted.
  std::string Content() {
    const RowSet rows = Run("SELECT word, n, note, writetime(n) AS w FROM mr_test." + table_);
    std::vector<std::string> lines;
    for (const ResultRow& row : rows.rows) {
      lines.push_back(Concat(rows.Text(row, "word"), "=", rows.Number(row, "n"), "/", rows.Text(row, "note"), "@",
                             rows.Number(row, "w")));
    }
    std::sort(lines.begin(), lines.end());
    std::string out;
    for (const std::string& line : lines) out += line + " ";
    return out;
  }

  std::unique_ptr<SinkWriter> Writer(const engine::Options& more = {}, std::uint64_t version = 1) {
    auto sink = MakeSink(Describe("cassandra", OptionsWith({{"columns", "word,n,note"}}, more)));
    EXPECT_TRUE(sink.ok()) << sink.status();
    return (*sink)->NewWriter({table_, "job", "out", 1, 0, 1, version}).value();
  }
  std::string OpenError(const engine::Options& more) { return ErrorOf(Writer(more)->Open()); }
  static absl::Status Write(SinkWriter& writer, std::uint64_t batch, const std::vector<CassandraRow>& rows) {
    RowBuffer buffer;
    for (const CassandraRow& row : rows) {
      const engine::SinkRow sink_row{{}, row.encoded(), false};
      buffer.Append({&sink_row, 1});
    }
    if (absl::Status status = writer.Stage(batch, static_cast<std::int64_t>(batch) * 1'000, buffer); !status.ok()) {
      return status;
    }
    return writer.Commit(batch);
  }
};

TEST_F(CassandraSinkTest, RowsAndMarkAreThereAfterCommit) {
  CreateTable();
  auto writer = Writer();
  ASSERT_EQ(writer->Open().value(), 0U);
  ASSERT_TRUE(Write(*writer, 5, {CassandraRow::Upsert({"a", 1, "x"}), CassandraRow::Upsert({"b", 2})}).ok());
  ASSERT_TRUE(Write(*writer, 6, {}).ok());
  EXPECT_EQ(Content(), "a=1/x@5001 b=2/@5001 ");
  EXPECT_EQ(Writer({}, 2)->Open().value(), 5U);
}

TEST_F(CassandraSinkTest, AReplayChangesNothingAndAnOlderBatchLoses) {
  CreateTable();
  auto writer = Writer({{"marks_table", ""}});
  ASSERT_EQ(writer->Open().value(), 0U);
  const std::vector<CassandraRow> rows = {CassandraRow::Upsert({"a", 1, "x"}), CassandraRow::Delete({"b"})};
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(Write(*writer, 5, rows).ok());
  EXPECT_EQ(Content(), "a=1/x@5001 ");
  ASSERT_TRUE(Write(*writer, 7, {CassandraRow::Upsert({"a", 9, "y"}), CassandraRow::Upsert({"b", 3})}).ok());
  ASSERT_TRUE(Write(*writer, 5, rows).ok());
  EXPECT_EQ(Content(), "a=9/y@7001 b=3/@7001 ");
  ASSERT_TRUE(Write(*writer, 8,
                    {CassandraRow::Delete({"a"}), CassandraRow::Upsert({"a", CassandraUnset{}, "z"}),
                     CassandraRow::Delete({"b"})})
                  .ok());
  EXPECT_EQ(Content(), "a=0/z@0 ");
}

TEST_F(CassandraSinkTest, ManyRowsGoThroughTheWindow) {
  CreateTable();
  auto writer = Writer();
  ASSERT_TRUE(writer->Open().ok());
  std::vector<CassandraRow> rows;
  for (int i = 0; i < 20'000; ++i) rows.push_back(CassandraRow::Upsert({"w" + std::to_string(i), i, "note"}));
  ASSERT_TRUE(Write(*writer, 1, rows).ok());
  const RowSet count = Run("SELECT COUNT(*) AS n, SUM(n) AS s FROM mr_test." + table_);
  EXPECT_EQ(count.Number(count.rows[0], "n"), 20'000);
  EXPECT_EQ(count.Number(count.rows[0], "s"), 20'000LL * 19'999 / 2);
  EXPECT_EQ(Run("SELECT word FROM mr_test." + table_).rows.size(), 20'000U) << "all pages are read";
}

TEST_F(CassandraSinkTest, ANewOwnerFencesTheOld) {
  CreateTable();
  auto old_writer = Writer({}, 1);
  ASSERT_TRUE(old_writer->Open().ok());
  ASSERT_TRUE(Write(*old_writer, 1, {CassandraRow::Upsert({"a", 1})}).ok());
  auto new_writer = Writer({}, 2);
  ASSERT_EQ(new_writer->Open().value(), 1U);
  EXPECT_TRUE(absl::IsAborted(Write(*old_writer, 2, {CassandraRow::Upsert({"a", 2})})));
  EXPECT_TRUE(absl::IsAborted(Writer({}, 1)->Open().status()));
  ASSERT_TRUE(Write(*new_writer, 2, {CassandraRow::Upsert({"a", 2})}).ok());
  EXPECT_EQ(Content(), "a=2/@2001 ");
}

TEST_F(CassandraSinkTest, RowsLiveAsLongAsTheTtlSays) {
  CreateTable();
  auto writer = Writer({{"ttl", "1000"}});
  ASSERT_TRUE(writer->Open().ok());
  // Times far in the past would be fine too: what counts is when the server gets the row.
  ASSERT_TRUE(Write(*writer, 1, {CassandraRow::Upsert({"a", 1, "x"})}).ok());
  const RowSet rows = Run("SELECT ttl(n) AS left FROM mr_test." + table_);
  EXPECT_GT(rows.Number(rows.rows[0], "left"), 900);
}

TEST_F(CassandraSinkTest, AnAlteredTableAndForgottenStatementsAreNoticed) {
  CreateTable();
  auto writer = Writer();
  ASSERT_TRUE(writer->Open().ok());
  ASSERT_TRUE(Write(*writer, 1, {CassandraRow::Upsert({"a", 1, "x"})}).ok());
  Run("ALTER TABLE mr_test." + table_ + " ADD more int");
  ASSERT_TRUE(Write(*writer, 2, {CassandraRow::Upsert({"a", 2, "y"})}).ok());
  EXPECT_EQ(Content(), "a=2/y@2001 ");
  Run("DROP TABLE mr_test." + table_);
  const absl::Status status = Write(*writer, 3, {CassandraRow::Upsert({"a", 3, "z"})});
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(absl::IsNotFound(writer->Open().status()));
}

TEST_F(CassandraSinkTest, WhatTheServerRefusesIsNamed) {
  CreateTable();
  const std::string wrong = password_file_.string() + "-wrong";
  std::ofstream(wrong) << "not it\n";
  EXPECT_THAT(OpenError({{"password_file", wrong}}), HasSubstr("the server refuses user name or password"));
  std::filesystem::remove(wrong);
  EXPECT_THAT(OpenError({{"password_file", wrong}}), HasSubstr("cannot read a line from " + wrong));
  EXPECT_THAT(OpenError({{"username", ""}, {"password_file", ""}}), HasSubstr("set the options username and password"));
  EXPECT_THAT(OpenError({{"keyspace", "mr_tets"}}), HasSubstr("no keyspace 'mr_tets', did you mean 'mr_test'?"));
  EXPECT_THAT(OpenError({{"table", "nosuch"}}), HasSubstr("there is no table 'nosuch' in keyspace 'mr_test'"));
  EXPECT_THAT(OpenError({{"columns", "word,m"}}), HasSubstr("has no column 'm', did you mean 'n'?"));
  EXPECT_THAT(OpenError({{"kinds", "text,text,text"}}), HasSubstr("column 'n' is of type bigint"));
  EXPECT_THAT(OpenError({{"contact_points", "127.0.0.1:1"}}),
              HasSubstr("127.0.0.1:1: cannot connect: Connection refused"));
  Run("DROP TABLE mr_test." + table_);
  Run("CREATE TABLE mr_test." + table_ + " (word text PRIMARY KEY, n counter)");
  EXPECT_THAT(OpenError({}), HasSubstr("is a counter table (column 'n')"));
}

TEST_F(CassandraSinkTest, AServerThatIsNoneIsSaidSo) {
  // The gossip port speaks another protocol, or hangs up, or waits.
  const auto colon = server_.rfind(':');
  const int port = std::atoi(server_.substr(colon + 1).c_str()) + 1;
  const auto opened =
      Writer({{"contact_points", server_.substr(0, colon) + ":" + std::to_string(port)}, {"connect_timeout_ms", "500"}})
          ->Open();
  EXPECT_TRUE(absl::IsUnavailable(opened.status())) << opened.status();
}

TEST_F(CassandraSinkTest, AnEmptyKeyIsRefusedByTheServer) {
  CreateTable();
  auto writer = Writer();
  ASSERT_TRUE(writer->Open().ok());
  const absl::Status status = Write(*writer, 1, {CassandraRow::Upsert({"", 1})});
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("Key may not be empty"));
}

}  // namespace
}  // namespace millrace::cassandra
