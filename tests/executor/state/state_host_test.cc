#include "executor/state/state_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

#include "tests/common/io/scratch.h"
#include "tests/executor/state/entries.h"
#include "tests/executor/state/fake_state.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::Map;
using testing::MapProgram;
using testing::MapState;
using testing::OpenStore;
using testing::ScratchDirectory;
using testing::SmallDisk;

constexpr TaskKey kTask{1, 0};

class StateHostTest : public ::testing::TestWithParam<engine::StateBackend> {
 protected:
  std::unique_ptr<StateHost> MakeHost(const std::string& scratch = "scratch", int deltas_per_base = 8) {
    return std::make_unique<StateHost>(program_, StateHostOptions{.scratch_dir = dir_ / scratch,
                                                                  .memory_budget_bytes = std::uint64_t{16} << 20,
                                                                  .checkpoints = checkpoints_,
                                                                  .job_id = "j-1",
                                                                  .deltas_per_base = deltas_per_base});
  }
  static MapState& StateOf(StateHost& host, TaskKey task = kTask) {
    engine::State* state = host.Find(task);
    EXPECT_NE(state, nullptr);
    return static_cast<MapState&>(*state);
  }
  static absl::StatusOr<std::shared_ptr<StateSnapshot>> Snapshot(StateHost& host, TaskKey task, std::uint64_t batch) {
    MR_ASSIGN_OR_RETURN(auto snapshot, host.BeginSnapshot(task, batch));
    for (bool more = true; more;) {
      MR_ASSIGN_OR_RETURN(more, host.TakeMore(*snapshot));
    }
    return snapshot;
  }
  static StateChain Checkpoint(StateHost& host, std::uint64_t batch, TaskKey task = kTask) {
    auto snapshot = Snapshot(host, task, batch);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    auto chain = host.Save(**snapshot);
    EXPECT_TRUE(chain.ok()) << chain.status();
    return *chain;
  }
  // What another runner makes of a chain.
  Map Restored(const StateChain& chain) {
    const auto host = MakeHost("other");
    const absl::Status status = host->Restore(kTask, chain);
    EXPECT_TRUE(status.ok()) << status;
    return status.ok() ? StateOf(*host).All() : Map();
  }
  // Some changes, as a task would make them.
  void RunTask(StateHost& host, Map& expected, int writes, int keys = 500, TaskKey task = kTask) {
    MapState& state = StateOf(host, task);
    for (int i = 0; i < writes; ++i) {
      const std::string key = "key " + std::to_string(random_() % static_cast<unsigned>(keys));
      if (random_() % 4 == 0) {
        state.Delete(key);
        expected.erase(key);
      } else {
        const std::string value = std::to_string(random_());
        state.Put(key, value);
        expected[key] = value;
      }
    }
    ASSERT_TRUE(host.Commit(task).ok());
  }

  ScratchDirectory dir_;
  std::shared_ptr<CheckpointStore> checkpoints_ = OpenStore(dir_ / "checkpoints");
  MapProgram program_{GetParam()};
  std::mt19937 random_{17};
};

INSTANTIATE_TEST_SUITE_P(Backends, StateHostTest,
                         ::testing::Values(engine::StateBackend::kMemory, engine::StateBackend::kRocksDb),
                         [](const auto& backend) {
                           return backend.param == engine::StateBackend::kMemory ? "Memory" : "RocksDb";
                         });

TEST_P(StateHostTest, BeginsEmpty) {
  const auto host = MakeHost();
  EXPECT_EQ(host->Find(kTask), nullptr);
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  EXPECT_EQ(StateOf(*host).loaded, 1);
  EXPECT_EQ(StateOf(*host).All(), Map());
  EXPECT_EQ(Checkpoint(*host, 1), StateChain()) << "the empty state needs no file";
}

TEST_P(StateHostTest, WhatWasSavedIsRestoredBatchAfterBatch) {
  const auto host = MakeHost("scratch", 3);
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  Map expected;
  bool had_deltas = false;
  int bases = 0;
  std::string base;
  for (std::uint64_t batch = 1; batch <= 30; ++batch) {
    RunTask(*host, expected, batch == 1 ? 10'000 : 40, 3000);
    const StateChain chain = Checkpoint(*host, batch);
    had_deltas = had_deltas || chain.size() > 2;
    bases += chain[0].name != base ? 1 : 0;
    base = chain[0].name;
    ASSERT_LE(chain.size(), 4u);
    ASSERT_EQ(Restored(chain), expected) << batch;
    ASSERT_EQ(StateOf(*host).All(), expected);
  }
  EXPECT_TRUE(had_deltas);
  EXPECT_GT(bases, 3);
  EXPECT_LT(bases, 20);
}

TEST_P(StateHostTest, TheChainGoesOnWhereItWasRestored) {
  Map expected;
  StateChain chain;
  for (std::uint64_t life = 1; life <= 12; ++life) {
    const auto host = MakeHost();
    ASSERT_TRUE(host->Restore(kTask, chain).ok());
    ASSERT_EQ(StateOf(*host).All(), expected);
    RunTask(*host, expected, life == 1 ? 3000 : 10);
    const StateChain next = Checkpoint(*host, life);
    if (!chain.empty() && next.size() > 1) {
      EXPECT_EQ(StateChain(next.begin(), next.end() - 1), chain);
    }
    chain = next;
  }
  EXPECT_EQ(Restored(chain), expected);
}

TEST_P(StateHostTest, ASnapshotIsNotChangedByLaterBatches) {
  const auto host = MakeHost();
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  Map expected;
  RunTask(*host, expected, 1000);
  const Map then = expected;
  const auto snapshot = Snapshot(*host, kTask, 7);
  ASSERT_TRUE(snapshot.ok());
  RunTask(*host, expected, 1000);
  const auto chain = host->Save(**snapshot);
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_EQ(Restored(*chain), then);
  EXPECT_EQ(Restored(Checkpoint(*host, 8)), expected);
}

TEST_P(StateHostTest, ASnapshotThatTakesLongIsFinishedBeforeTheNext) {
  const auto host = MakeHost();
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  Map expected;
  RunTask(*host, expected, 1000);
  const Map then = expected;
  StateOf(*host).takes = 3;
  const auto first = host->BeginSnapshot(kTask, 7);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(*host->TakeMore(**first), GetParam() == engine::StateBackend::kMemory);
  RunTask(*host, expected, 1000);
  const auto second = Snapshot(*host, kTask, 8);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_FALSE(*host->TakeMore(**first)) << "it was finished by the second";
  EXPECT_EQ(Restored(*host->Save(**first)), then);
  EXPECT_EQ(Restored(*host->Save(**second)), expected);
}

TEST_P(StateHostTest, ASnapshotThatIsNotCompleteGoesWithItsPartition) {
  if (GetParam() == engine::StateBackend::kRocksDb) return;  // always complete
  const auto host = MakeHost();
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  const auto snapshot = host->BeginSnapshot(kTask, 7);
  ASSERT_TRUE(snapshot.ok());
  host->Drop(kTask);
  EXPECT_TRUE(absl::IsNotFound(host->TakeMore(**snapshot).status()));
}

TEST_P(StateHostTest, ASnapshotOfADroppedPartitionIsNotSaved) {
  const auto host = MakeHost();
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  Map expected;
  RunTask(*host, expected, 1000);
  const auto snapshot = Snapshot(*host, kTask, 1);
  ASSERT_TRUE(snapshot.ok());
  host->Drop(kTask);
  EXPECT_EQ(host->Find(kTask), nullptr);
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  const auto chain = host->Save(**snapshot);
  EXPECT_TRUE(absl::IsFailedPrecondition(chain.status())) << chain.status();
  EXPECT_TRUE(checkpoints_->List("")->empty()) << "nobody would know the file";
  EXPECT_EQ(StateOf(*host).All(), Map());
}

TEST_P(StateHostTest, WhatAFailedTaskWroteIsGoneAfterTheRestore) {
  const auto host = MakeHost();
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  Map expected;
  RunTask(*host, expected, 1000);
  const StateChain chain = Checkpoint(*host, 1);
  for (int i = 0; i < 100'000; ++i) StateOf(*host).Put("of a failed task " + std::to_string(i % 1000), "x");
  ASSERT_TRUE(host->Restore(kTask, chain).ok());
  EXPECT_EQ(StateOf(*host).All(), expected);
  EXPECT_EQ(Checkpoint(*host, 1), chain) << "nothing has changed";
}

TEST_P(StateHostTest, NamesAreNeverUsedTwice) {
  std::set<std::string> names;
  for (int runner = 0; runner < 3; ++runner) {
    const auto host = MakeHost(Concat("runner", runner));
    for (int life = 0; life < 2; ++life) {
      ASSERT_TRUE(host->Restore(kTask, {}).ok());
      Map expected;
      RunTask(*host, expected, 10);
      EXPECT_TRUE(names.insert(Checkpoint(*host, 5).back().name).second);
    }
  }
  for (const std::string& name : names) EXPECT_THAT(name, ::testing::StartsWith("j-1/s1-p0-b5-"));
}

TEST_P(StateHostTest, AllDamagedFilesOfAChainAreFound) {
  const auto host = MakeHost();
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  Map expected;
  RunTask(*host, expected, 3000);
  Checkpoint(*host, 1);
  for (std::uint64_t batch = 2; batch < 5; ++batch) {
    RunTask(*host, expected, 10);
    Checkpoint(*host, batch);
  }
  const StateChain chain = host->ChainOf(**Snapshot(*host, kTask, 5));
  ASSERT_EQ(chain.size(), 4u);
  EXPECT_TRUE(host->FindDamaged(chain)->empty());
  testing::Overwrite(checkpoints_->Locate(chain[0].name), "no state");
  fs::remove(checkpoints_->Locate(chain[2].name));
  const auto damaged = host->FindDamaged(chain);
  ASSERT_EQ(damaged->size(), 2u);
  EXPECT_EQ(damaged->at(0).name, chain[0].name);
  EXPECT_EQ(damaged->at(1).name, chain[2].name);
}

TEST_P(StateHostTest, AStoreWithNothingInItIsAwayNotDamaged) {
  const auto host = MakeHost();
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  Map expected;
  RunTask(*host, expected, 100);
  const StateChain chain = Checkpoint(*host, 1);
  fs::rename(dir_ / "checkpoints", dir_ / "elsewhere");
  const auto damaged = host->FindDamaged(chain);
  EXPECT_TRUE(absl::IsUnavailable(damaged.status())) << damaged.status();
  EXPECT_THAT(Message(damaged.status()), HasSubstr("mounted"));
}

TEST_P(StateHostTest, ASaveOntoADamagedBaseNamesTheBase) {
  const auto host = MakeHost("scratch", /*deltas_per_base=*/1);
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  Map expected;
  RunTask(*host, expected, 3000);
  Checkpoint(*host, 1);
  RunTask(*host, expected, 10);
  const StateChain chain = Checkpoint(*host, 2);
  ASSERT_EQ(chain.size(), 2u);
  const std::string path = checkpoints_->Locate(chain[0].name);
  std::string bytes = testing::Slurp(path);
  bytes[bytes.size() / 2] ^= 1;
  testing::Overwrite(path, bytes);
  RunTask(*host, expected, 10);
  auto snapshot = *Snapshot(*host, kTask, 3);
  EXPECT_TRUE(absl::IsDataLoss(host->Save(*snapshot).status()));
  const auto damaged = host->FindDamaged(host->ChainOf(*snapshot));
  ASSERT_EQ(damaged->size(), 1u);
  EXPECT_EQ(damaged->front().name, chain[0].name);
}

TEST_P(StateHostTest, ADamagedOrMissingFileIsNamedAndNothingIsRestored) {
  const auto host = MakeHost();
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  Map expected;
  RunTask(*host, expected, 3000);
  Checkpoint(*host, 1);
  RunTask(*host, expected, 10);
  const StateChain chain = Checkpoint(*host, 2);
  ASSERT_EQ(chain.size(), 2u);
  for (const StateFile& file : chain) {
    const std::string path = checkpoints_->Locate(file.name);
    const std::string whole = testing::Slurp(path);
    for (const std::size_t at : {std::size_t{3}, std::size_t{9}, whole.size() / 2, whole.size() - 20}) {
      std::string bad = whole;
      bad[at] ^= 0x10;
      testing::Overwrite(path, bad);
      const absl::Status status = host->Restore(kTask, chain);
      EXPECT_TRUE(absl::IsDataLoss(status)) << status;
      EXPECT_THAT(Message(status), HasSubstr(path));
      EXPECT_THAT(Message(status), HasSubstr("stage 1 partition 0"));
      EXPECT_EQ(host->Find(kTask), nullptr);
      const auto damaged = host->FindDamaged(chain);
      ASSERT_TRUE(damaged.ok()) << damaged.status();
      ASSERT_EQ(damaged->size(), 1u);
      EXPECT_EQ(damaged->front().name, file.name);
      EXPECT_THAT(damaged->front().why, HasSubstr(path));
    }
    testing::Overwrite(path, whole.substr(0, whole.size() / 2));
    EXPECT_TRUE(absl::IsDataLoss(host->Restore(kTask, chain)));
    fs::remove(path);
    const absl::Status missing = host->Restore(kTask, chain);
    EXPECT_TRUE(absl::IsNotFound(missing)) << missing;
    EXPECT_THAT(Message(missing), HasSubstr(path));
    EXPECT_EQ(host->FindDamaged(chain)->front().name, file.name);
    testing::Overwrite(path, whole);
  }
  ASSERT_TRUE(host->Restore(kTask, chain).ok());
  EXPECT_EQ(StateOf(*host).All(), expected);
}

TEST_P(StateHostTest, WhatTheLibraryThrowsIsAStatus) {
  const auto host = MakeHost();
  const absl::Status no_stage = host->Restore({666, 0}, {});
  EXPECT_TRUE(absl::IsFailedPrecondition(no_stage)) << no_stage;
  EXPECT_THAT(Message(no_stage), HasSubstr("no such stage"));

  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  StateOf(*host).Put("poison", "1");
  ASSERT_TRUE(host->Commit(kTask).ok());
  const absl::Status poisoned = host->Restore(kTask, Checkpoint(*host, 1));
  EXPECT_TRUE(absl::IsFailedPrecondition(poisoned)) << poisoned;
  EXPECT_THAT(Message(poisoned), HasSubstr("this job knows no poison"));
  EXPECT_EQ(host->Find(kTask), nullptr);

  if (GetParam() == engine::StateBackend::kRocksDb) return;
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  StateOf(*host).fail_changes = true;
  const auto snapshot = Snapshot(*host, kTask, 2);
  EXPECT_TRUE(absl::IsFailedPrecondition(snapshot.status())) << snapshot.status();
  EXPECT_THAT(Message(snapshot.status()), HasSubstr("no changes today"));
}

TEST_P(StateHostTest, WhatIsNotHereIsSaidToBe) {
  const auto host = MakeHost();
  EXPECT_TRUE(absl::IsNotFound(host->Commit(kTask)));
  EXPECT_TRUE(absl::IsNotFound(Snapshot(*host, kTask, 1).status()));
  host->Drop(kTask);
}

TEST_P(StateHostTest, DeletesGarbage) {
  const auto host = MakeHost();
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  Map expected;
  RunTask(*host, expected, 100);
  const StateChain chain = Checkpoint(*host, 1);
  EXPECT_TRUE(host->Delete({chain[0].name, "j-1/never-was"}).ok());
  EXPECT_TRUE(checkpoints_->List("")->empty());
  EXPECT_TRUE(host->Delete({chain[0].name}).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(host->Delete({"../x", "j-1/never-was"})));
}

TEST_P(StateHostTest, AFullCheckpointDiskCostsNothingButTheCheckpoint) {
  SmallDisk disk(std::size_t{2} << 20);
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  checkpoints_ = OpenStore(disk / "checkpoints");
  const auto host = MakeHost();
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  Map expected;
  RunTask(*host, expected, 10'000, 5000);
  disk.Fill(10'000);
  for (std::uint64_t batch = 1; batch < 4; ++batch) {
    const auto snapshot = Snapshot(*host, kTask, batch);
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    const auto failed = host->Save(**snapshot);
    EXPECT_TRUE(absl::IsResourceExhausted(failed.status())) << failed.status();
    EXPECT_THAT(Message(failed.status()), HasSubstr(disk / "checkpoints/j-1/s1-p0-b"));
    RunTask(*host, expected, 100);
  }
  disk.Release();
  EXPECT_EQ(Restored(Checkpoint(*host, 5)), expected);
}

TEST_P(StateHostTest, AScratchFolderThatCannotBeSaysSo) {
  testing::Overwrite(dir_ / "file", "no folder");
  const auto host = MakeHost("file/scratch");
  const absl::Status status = host->Restore(kTask, {});
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(Message(status), HasSubstr("file"));
}

TEST_P(StateHostTest, LeavesNothingInItsFolder) {
  fs::create_directories(dir_ / "scratch/changes/left");
  {
    const auto host = MakeHost();
    EXPECT_FALSE(fs::exists(dir_ / "scratch/changes/left"));
    ASSERT_TRUE(host->Restore(kTask, {}).ok());
    Map expected;
    RunTask(*host, expected, 1000);
    EXPECT_EQ(host->stats().partitions, 1u);
    EXPECT_GT(host->stats().memory_bytes, 1000u);
    (void)Snapshot(*host, kTask, 1);
  }
  EXPECT_FALSE(fs::exists(dir_ / "scratch"));
}

// Partitions on several threads, each saved in the background while its tasks go on, and some of them moved away and
// back meanwhile.
TEST_P(StateHostTest, PartitionsLiveOnTheirOwn) {
  constexpr std::uint32_t kPartitions = 6;
  const auto host = MakeHost();
  std::mutex mutex;
  std::condition_variable changed;
  struct Pending {
    std::shared_ptr<StateSnapshot> snapshot;
    Map expected;
  };
  std::deque<Pending> pending;
  bool done = false;
  std::map<TaskKey, std::pair<StateChain, Map>> saved;
  std::thread saver([&] {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return done || !pending.empty(); });
      if (pending.empty()) return;
      Pending next = std::move(pending.front());
      pending.pop_front();
      lock.unlock();
      auto chain = host->Save(*next.snapshot);
      const bool may_be_dropped = next.snapshot->task().partition % 2 == 0;
      EXPECT_TRUE(chain.ok() || (may_be_dropped && absl::IsFailedPrecondition(chain.status()))) << chain.status();
      (void)host->stats();
      lock.lock();
      if (chain.ok()) saved[next.snapshot->task()] = {*std::move(chain), std::move(next.expected)};
    }
  });
  std::vector<std::thread> workers;
  for (std::uint32_t w = 0; w < 3; ++w) {
    workers.emplace_back([&, w] {
      std::mt19937 random(w);
      for (std::uint32_t partition = w; partition < kPartitions; partition += 3) {
        const TaskKey task{1, partition};
        Map expected;
        ASSERT_TRUE(host->Restore(task, {}).ok());
        for (std::uint64_t batch = 1; batch <= 60; ++batch) {
          MapState& state = StateOf(*host, task);
          for (int i = 0; i < 100; ++i) {
            const std::string key = std::to_string(random() % 800);
            state.Put(key, Concat(partition, "/", batch));
            expected[key] = Concat(partition, "/", batch);
          }
          ASSERT_TRUE(host->Commit(task).ok());
          if (batch % 4 == 0) {
            auto snapshot = Snapshot(*host, task, batch);
            ASSERT_TRUE(snapshot.ok()) << snapshot.status();
            std::lock_guard lock(mutex);
            pending.push_back({*snapshot, expected});
            changed.notify_one();
          }
          if (batch == 33) host->Drop({1, kPartitions + partition});
        }
        ASSERT_EQ(StateOf(*host, task).All(), expected);
        if (partition % 2 == 0) host->Drop(task);
      }
    });
  }
  for (auto& worker : workers) worker.join();
  {
    std::lock_guard lock(mutex);
    done = true;
    changed.notify_one();
  }
  saver.join();
  for (std::uint32_t partition = 1; partition < kPartitions; partition += 2) {
    EXPECT_TRUE(saved.contains(TaskKey{1, partition}));
  }
  for (const auto& [task, chain_and_map] : saved) EXPECT_EQ(Restored(chain_and_map.first), chain_and_map.second);
  EXPECT_EQ(host->stats().partitions, kPartitions / 2);
}

// A checkpoint is entries: it does not matter which backend wrote them.
TEST_P(StateHostTest, TheOtherBackendReadsTheCheckpoint) {
  const auto host = MakeHost();
  ASSERT_TRUE(host->Restore(kTask, {}).ok());
  Map expected;
  RunTask(*host, expected, 5000);
  Checkpoint(*host, 1);
  RunTask(*host, expected, 50);
  const StateChain chain = Checkpoint(*host, 2);
  const MapProgram other(GetParam() == engine::StateBackend::kMemory ? engine::StateBackend::kRocksDb
                                                                     : engine::StateBackend::kMemory);
  StateHost other_host(other, {.scratch_dir = dir_ / "other", .checkpoints = checkpoints_, .job_id = "j-1"});
  ASSERT_TRUE(other_host.Restore(kTask, chain).ok());
  EXPECT_EQ(StateOf(other_host).All(), expected);
}

}  // namespace
}  // namespace millrace
