// A sink of one's own: readings as rows of a table in an SQLite database, exactly once. A batch's rows and its mark are
// one transaction; the table "marks" holds, for each partition, the last batch and the fence of the partition's owner.
//
//   readings.ToSink(std::make_shared<SqliteSink>("/data/readings.db")).Uid("readings");
//
// Rows are kept in memory between Stage and Commit: SQLite has one writer at a time, and a writer that hangs with a
// transaction open would hold up all others. All executors must see the file, and lock it: on one machine, that is.
// Errors: what SQLite says, as std::runtime_error; it is tried again.
#pragma once

#include <millrace/custom_sink.h>
#include <sqlite3.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "examples/connectors/reading.h"

// A connection; one thread at a time.
class Sqlite {
 public:
  explicit Sqlite(const std::string& path) : path_(path) {
    if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) {
      const std::string why = sqlite3_errmsg(db_);
      sqlite3_close(db_);
      throw std::runtime_error(path + ": " + why);
    }
    sqlite3_busy_timeout(db_, 10'000);
  }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;
  ~Sqlite() { sqlite3_close(db_); }

  // Runs one statement with these values, and gives its first row, empty if it gives none.
  std::vector<std::int64_t> Run(const char* sql, const std::vector<std::string>& texts,
                                const std::vector<std::int64_t>& numbers = {}) {
    sqlite3_stmt* statement = nullptr;
    Check(sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr));
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> owner(statement, &sqlite3_finalize);
    int at = 0;
    for (const std::string& text : texts)
      Check(sqlite3_bind_text(statement, ++at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC));
    for (const std::int64_t number : numbers) Check(sqlite3_bind_int64(statement, ++at, number));
    const int step = sqlite3_step(statement);
    if (step != SQLITE_ROW && step != SQLITE_DONE) Check(step);
    std::vector<std::int64_t> row;
    for (int i = 0; step == SQLITE_ROW && i < sqlite3_column_count(statement); ++i)
      row.push_back(sqlite3_column_int64(statement, i));
    return row;
  }
  // All of it or nothing.
  template <class F>
  void Transaction(F&& f) {
    Run("BEGIN IMMEDIATE", {});
    try {
      f();
      Run("COMMIT", {});
    } catch (...) {
      sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }

 private:
  void Check(int code) const {
    if (code != SQLITE_OK) throw std::runtime_error(path_ + ": " + sqlite3_errmsg(db_));
  }
  const std::string path_;
  sqlite3* db_ = nullptr;
};

class SqliteWriter : public millrace::CustomSinkWriter<Reading> {
 public:
  SqliteWriter(const std::string& path, const millrace::CustomPartition& partition)
      : db_(path),
        name_(partition.job_id + "/" + partition.sink + "/" + std::to_string(partition.stage) + "/" +
              std::to_string(partition.partition)),
        fence_(static_cast<std::int64_t>(partition.fence)) {}

  std::uint64_t LastMark() override {
    std::int64_t mark = 0;
    db_.Transaction([&] {
      db_.Run("CREATE TABLE IF NOT EXISTS readings (id TEXT, sensor TEXT, value INTEGER)", {});
      db_.Run("CREATE TABLE IF NOT EXISTS marks (partition TEXT PRIMARY KEY, fence INTEGER, mark INTEGER)", {});
      mark = StoredMark();
      db_.Run("INSERT OR REPLACE INTO marks VALUES (?1, ?2, ?3)", {name_}, {fence_, mark});
    });
    return static_cast<std::uint64_t>(mark);
  }
  void Stage(const millrace::CustomBatch&, std::span<const Reading> rows) override {
    staged_.assign(rows.begin(), rows.end());
  }
  void Commit(std::uint64_t batch) override {
    const auto mark = static_cast<std::int64_t>(batch);
    db_.Transaction([&] {
      if (StoredMark() >= mark) return;
      for (const Reading& row : staged_)
        db_.Run("INSERT INTO readings VALUES (?1, ?2, ?3)", {row.id, row.sensor}, {row.value});
      db_.Run("UPDATE marks SET mark = ?2 WHERE partition = ?1", {name_}, {mark});
    });
    staged_.clear();
  }

 private:
  // Throws when another owner has come after this one.
  std::int64_t StoredMark() {
    const auto row = db_.Run("SELECT fence, mark FROM marks WHERE partition = ?1", {name_});
    if (row.empty()) return 0;
    if (row[0] > fence_) throw std::runtime_error("partition " + name_ + " has a newer owner");
    return row[1];
  }

  Sqlite db_;
  const std::string name_;
  const std::int64_t fence_;
  std::vector<Reading> staged_;
};

class SqliteSink : public millrace::CustomSink<Reading> {
 public:
  explicit SqliteSink(std::string path) : path_(std::move(path)) {}
  std::unique_ptr<millrace::CustomSinkWriter<Reading>> OpenWriter(const millrace::CustomPartition& partition) override {
    return std::make_unique<SqliteWriter>(path_, partition);
  }

 private:
  const std::string path_;
};
