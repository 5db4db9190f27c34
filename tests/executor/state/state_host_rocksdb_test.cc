// What only states in RocksDB can meet: a task's writes that were not committed, a full scratch disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "executor/state/state_host.h"
#include "tests/common/eventually.h"
#include "tests/common/io/scratch.h"
#include "tests/executor/state/entries.h"
#include "tests/executor/state/fake_state.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using testing::MapProgram;
using testing::MapState;
using testing::OpenStore;
using testing::ScratchDirectory;
using testing::SmallDisk;

constexpr TaskKey kTask{1, 0};

TEST(StateHostRocksDb, ASnapshotOfAnUnfinishedTaskIsRefused) {
  ScratchDirectory dir;
  const MapProgram program(engine::StateBackend::kRocksDb);
  StateHost host(program,
                 {.scratch_dir = dir / "scratch", .checkpoints = OpenStore(dir / "checkpoints"), .job_id = "j"});
  ASSERT_TRUE(host.Restore(kTask, {}).ok());
  static_cast<MapState*>(host.Find(kTask))->Put("a", "1");
  EXPECT_TRUE(absl::IsFailedPrecondition(host.BeginSnapshot(kTask, 1).status()));
}

TEST(StateHostRocksDb, AFullScratchDiskFailsTheTaskWithItsName) {
  SmallDisk disk(std::size_t{16} << 20);
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  ScratchDirectory dir;
  const MapProgram program(engine::StateBackend::kRocksDb);
  StateHost host(program,
                 {.scratch_dir = disk / "scratch", .checkpoints = OpenStore(dir / "checkpoints"), .job_id = "j"});
  ASSERT_TRUE(host.Restore(kTask, {}).ok());
  std::mt19937_64 random(1);
  std::string error;
  for (int i = 0; error.empty() && i < 100'000; ++i) {
    std::string value(1000, '\0');
    for (char& c : value) c = static_cast<char>(random());
    try {
      static_cast<MapState*>(host.Find(kTask))->Put(std::to_string(i), value);
    } catch (const std::runtime_error& e) {
      error = e.what();
    }
  }
  EXPECT_THAT(error, HasSubstr(disk.path()));
  EXPECT_TRUE(absl::IsResourceExhausted(host.Commit(kTask)));
  EXPECT_TRUE(absl::IsResourceExhausted(host.BeginSnapshot(kTask, 1).status()));
  EXPECT_TRUE(Eventually([&] { return host.Restore(kTask, {}).ok(); })) << "the space is free again";
}

}  // namespace
}  // namespace millrace
