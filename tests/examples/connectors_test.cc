// The example connectors against the contract: the conformance tests of the SDK, on real files and a real database.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "examples/connectors/csv_folder.h"
#include "examples/connectors/spool_receiver.h"
#include "examples/connectors/sqlite_sink.h"
#include "millrace/testing/receiver_conformance.h"
#include "millrace/testing/sink_conformance.h"
#include "millrace/testing/source_conformance.h"

namespace millrace {
namespace {

class ExampleConnectors : public ::testing::Test {
 protected:
  ExampleConnectors() {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              (std::string("connectors-") + ::testing::UnitTest::GetInstance()->current_test_info()->name() + "-" +
               std::to_string(getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~ExampleConnectors() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, std::uint64_t from, std::uint64_t to, const std::string& end = "\n") {
    std::ofstream file(folder_ / ("." + name));
    for (std::uint64_t n = from; n < to; ++n) file << n << ",s" << n % 5 << "," << n * 3 << (n + 1 < to ? "\n" : end);
    file.close();
    ASSERT_TRUE(file);
    std::filesystem::rename(folder_ / ("." + name), folder_ / name);
  }
  std::filesystem::path folder_;
};

TEST_F(ExampleConnectors, TheCsvFolderIsASource) {
  Write("a.csv", 0, 3000);
  Write("b.csv", 3000, 3010, "");  // its last line has no end
  Write("empty.csv", 0, 0);
  Write("not-yet.csv.part", 0, 10);
  const auto found =
      testing::CheckSource([&] { return std::make_shared<CsvFolder>(folder_, true); }, {.bounded = true});
  EXPECT_TRUE(found.ok()) << found.text();
}

TEST_F(ExampleConnectors, TheCsvFolderRefusesAPositionInsideALine) {
  Write("a.csv", 0, 10);
  const testing::SourceCheckOptions options{.bounded = true, .bad_position = "3"};
  const auto found = testing::CheckSource([&] { return std::make_shared<CsvFolder>(folder_, true); }, options);
  EXPECT_TRUE(found.ok()) << found.text();
}

TEST_F(ExampleConnectors, TheSpoolFolderIsAReceiver) {
  const auto found = testing::CheckReceiver<Reading>({
      .make = [&] { return std::make_unique<SpoolReceiver>(folder_); },
      .send = [&](std::uint64_t from, std::uint64_t to) { Write("f" + std::to_string(from), from, to); },
      .number = [](const Reading& reading) { return std::stoull(reading.id); },
  });
  EXPECT_TRUE(found.ok()) << found.text();
}

TEST_F(ExampleConnectors, TheSqliteTableIsASink) {
  const std::string path = (folder_ / "readings.db").string();
  const auto found = testing::CheckSink<Reading>({
      .make = [&] { return std::make_shared<SqliteSink>(path); },
      .row =
          [](std::uint64_t n) {
            return Reading{std::to_string(n), "s", static_cast<std::int64_t>(n)};
          },
      .visible =
          [&] {
            std::vector<std::uint64_t> numbers;
            if (!std::filesystem::exists(path)) return numbers;
            Sqlite db(path);
            if (db.Run("SELECT 1 FROM sqlite_master WHERE name = 'readings'", {}).empty()) return numbers;
            const auto rows = db.Run("SELECT count(*) FROM readings", {})[0];
            for (std::int64_t i = 0; i < rows; ++i) {
              numbers.push_back(static_cast<std::uint64_t>(
                  db.Run("SELECT value FROM readings ORDER BY rowid LIMIT 1 OFFSET ?1", {}, {i})[0]));
            }
            return numbers;
          },
  });
  EXPECT_TRUE(found.ok()) << found.text();
}

}  // namespace
}  // namespace millrace
