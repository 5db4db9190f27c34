#include "executor/state/change_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "tests/common/io/scratch.h"
#include "tests/executor/state/entries.h"

namespace millrace {
namespace {

using testing::Entries;
using ::testing::HasSubstr;
using testing::OpenStore;
using testing::ScratchDirectory;
using testing::SmallDisk;

constexpr TaskKey kTask{3, 2};

WriteSet SetOf(const Entries& entries) {
  WriteSet set;
  for (const auto& [key, value] : entries) {
    if (value) {
      set.Put(key, *value);
    } else {
      set.Delete(key);
    }
  }
  return set;
}

struct Fixture {
  Fixture() { Open(dir / "checkpoints", dir / "scratch"); }
  Fixture(const std::string& checkpoint_dir, const std::string& scratch_dir) { Open(checkpoint_dir, scratch_dir); }
  void Open(const std::string& checkpoint_dir, const std::string& scratch_dir) {
    places->checkpoints = OpenStore(checkpoint_dir);
    places->scratch = OpenStore(scratch_dir);
    places->job_id = "j-1";
    places->unique = "abc";
  }

  Entries Read(const StateChain& chain) {
    auto runs = OpenChain(*places->checkpoints, chain);
    EXPECT_TRUE(runs.ok()) << runs.status();
    MergeCursor merged(*std::move(runs), Deleted::kDrop);
    const auto entries = testing::ReadAll(merged);
    EXPECT_TRUE(entries.ok()) << entries.status();
    return *entries;
  }
  std::size_t scratch_files() { return places->scratch->List("")->size(); }

  ScratchDirectory dir;
  std::shared_ptr<StatePlaces> places = std::make_shared<StatePlaces>();
};

StateChain Save(ChangeLog& log, std::uint64_t interval, std::uint64_t batch) {
  const auto chain = log.Save(interval, batch);
  EXPECT_TRUE(chain.ok()) << chain.status();
  return chain.ok() ? *chain : StateChain();
}

TEST(ChangeLog, BeginsWithABaseAndGoesOnWithDeltas) {
  Fixture f;
  ChangeLog log(f.places, kTask, {});
  EXPECT_EQ(Save(log, log.Seal(), 1), StateChain()) << "nothing has changed";

  Entries large = {{"a", "1"}, {"gone", std::nullopt}};
  for (int i = 1000; i < 3000; ++i) large["k" + std::to_string(i)] = "value";
  log.Add(SetOf(large));
  StateChain chain = Save(log, log.Seal(), 2);
  ASSERT_EQ(chain.size(), 1u);
  EXPECT_TRUE(chain[0].base);
  EXPECT_EQ(chain[0].entries, 2001u) << "there is nothing below the base to delete from";
  EXPECT_THAT(chain[0].name, HasSubstr("j-1/s3-p2-b2-abc-"));

  log.Add(SetOf({{"a", std::nullopt}, {"b", "2"}}));
  chain = Save(log, log.Seal(), 3);
  ASSERT_EQ(chain.size(), 2u);
  EXPECT_FALSE(chain[1].base);
  EXPECT_EQ(chain[1].entries, 2u);
  EXPECT_EQ(Save(log, log.Seal(), 4), chain) << "no file where nothing has changed";
  large.erase("a");
  large.erase("gone");
  large["b"] = "2";
  EXPECT_EQ(f.Read(chain), large);
}

TEST(ChangeLog, TakesANewBaseAfterSomeDeltasAndWhenTheyOutweighIt) {
  Fixture f;
  f.places->deltas_per_base = 3;
  ChangeLog log(f.places, kTask, {});
  Entries state;
  for (int i = 1000; i < 9000; ++i) state["k" + std::to_string(i)] = "value";
  log.Add(SetOf(state));
  Save(log, log.Seal(), 1);
  std::vector<std::size_t> lengths;
  for (int i = 0; i < 8; ++i) {
    log.Add(SetOf({{"n" + std::to_string(i), "x"}}));
    state["n" + std::to_string(i)] = "x";
    const StateChain chain = Save(log, log.Seal(), 2);
    lengths.push_back(chain.size());
    EXPECT_EQ(f.Read(chain), state);
  }
  EXPECT_EQ(lengths, (std::vector<std::size_t>{2, 3, 4, 1, 2, 3, 4, 1}));

  for (auto& [key, value] : state) value = "another value, and a longer one";
  log.Add(SetOf(state));
  const StateChain chain = Save(log, log.Seal(), 3);
  EXPECT_EQ(chain.size(), 1u);
  EXPECT_EQ(f.Read(chain), state);
}

TEST(ChangeLog, GoesOnFromTheChainItIsGiven) {
  Fixture f;
  Entries state;
  for (int i = 1000; i < 2000; ++i) state["k" + std::to_string(i)] = "value";
  ChangeLog first(f.places, kTask, {});
  first.Add(SetOf(state));
  const StateChain base = Save(first, first.Seal(), 1);
  ChangeLog second(f.places, kTask, base);
  second.Add(SetOf({{"k1000", std::nullopt}}));
  const StateChain chain = Save(second, second.Seal(), 2);
  ASSERT_EQ(chain.size(), 2u);
  EXPECT_EQ(chain[0], base[0]);
  state.erase("k1000");
  EXPECT_EQ(f.Read(chain), state);
}

TEST(ChangeLog, SavesWhatWasSealedAndNothingNewer) {
  Fixture f;
  ChangeLog log(f.places, kTask, {});
  log.Add(SetOf({{"a", "1"}}));
  ASSERT_TRUE(log.AddOnDisk(SetOf({{"a", "2"}, {"b", "2"}})).ok());
  const std::uint64_t first = log.Seal();
  log.Add(SetOf({{"a", "3"}}));
  const std::uint64_t second = log.Seal();
  log.Add(SetOf({{"a", "4"}}));
  EXPECT_EQ(f.Read(Save(log, first, 1)), (Entries{{"a", "2"}, {"b", "2"}}));
  EXPECT_EQ(f.Read(Save(log, second, 2)), (Entries{{"a", "3"}, {"b", "2"}}));
  EXPECT_EQ(f.Read(Save(log, log.Seal(), 3)), (Entries{{"a", "4"}, {"b", "2"}}));
  EXPECT_EQ(f.scratch_files(), 0u) << "what is saved is not kept";
}

TEST(ChangeLog, ASaveThatIsLeftOutIsMadeUpForByTheNext) {
  Fixture f;
  ChangeLog log(f.places, kTask, {});
  log.Add(SetOf({{"a", "1"}}));
  log.Seal();
  log.Add(SetOf({{"b", "2"}}));
  EXPECT_EQ(f.Read(Save(log, log.Seal(), 2)), (Entries{{"a", "1"}, {"b", "2"}}));
}

TEST(ChangeLog, WhatIsLateIsNotSaved) {
  Fixture f;
  ChangeLog log(f.places, kTask, {});
  log.Add(SetOf({{"a", "1"}}));
  const std::uint64_t first = log.Seal();
  log.Add(SetOf({{"a", "2"}}));
  const std::uint64_t second = log.Seal();
  const StateChain chain = Save(log, second, 2);
  EXPECT_TRUE(absl::IsFailedPrecondition(log.Save(first, 1).status())) << "the chain is that of a later batch";
  EXPECT_EQ(Save(log, second, 2), chain);
  log.Add(SetOf({{"a", "3"}}));
  const std::uint64_t third = log.Seal();
  log.Abandon();
  EXPECT_TRUE(absl::IsFailedPrecondition(log.Save(third, 3).status()));
  EXPECT_EQ(f.places->checkpoints->List("")->size(), 1u);
}

TEST(ChangeLog, ManySetsOnDiskAreFoldedAndStayRight) {
  Fixture f;
  ChangeLog log(f.places, kTask, {});
  std::mt19937 random(5);
  Entries state;
  for (int round = 0; round < 300; ++round) {
    Entries changes;
    for (int i = 0; i < 20; ++i) {
      const std::string key = "k" + std::to_string(random() % 500);
      changes[key] = random() % 4 == 0 ? std::nullopt : std::optional(std::to_string(round));
    }
    for (const auto& [key, value] : changes) state[key] = value;
    ASSERT_TRUE(log.AddOnDisk(SetOf(changes)).ok());
    ASSERT_LE(f.scratch_files(), 30u);
  }
  std::erase_if(state, [](const auto& entry) { return !entry.second; });
  EXPECT_EQ(f.Read(Save(log, log.Seal(), 1)), state);
  EXPECT_EQ(f.scratch_files(), 0u);
}

TEST(ChangeLog, NothingIsLostWhenTheDiskIsFull) {
  SmallDisk disk(std::size_t{1} << 20);
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  ScratchDirectory dir;
  Fixture f(disk / "checkpoints", dir.path());
  ChangeLog log(f.places, kTask, {});
  Entries state;
  for (int i = 1000; i < 2000; ++i) state["k" + std::to_string(i)] = std::string(100, 'x');
  log.Add(SetOf(state));
  disk.Fill(10'000);
  for (int batch = 1; batch < 10; ++batch) {
    const auto failed = log.Save(log.Seal(), batch);
    ASSERT_TRUE(absl::IsResourceExhausted(failed.status())) << failed.status();
    EXPECT_THAT(Message(failed.status()), HasSubstr(disk / "checkpoints/j-1/s3-p2-b"));
    EXPECT_EQ(log.memory_bytes(), 0u) << "what waits does so on the scratch disk";
    EXPECT_EQ(f.scratch_files(), 1u);
    log.Add(SetOf({{"more", std::to_string(batch)}}));
    state["more"] = std::to_string(batch);
  }
  disk.Release();
  EXPECT_EQ(f.Read(Save(log, log.Seal(), 10)), state);
  EXPECT_EQ(f.scratch_files(), 0u);
}

TEST(ChangeLog, ADamagedBaseIsNamedWhenItIsToBeMerged) {
  Fixture f;
  f.places->deltas_per_base = 1;
  ChangeLog log(f.places, kTask, {});
  Entries state;
  for (int i = 1000; i < 9000; ++i) state["k" + std::to_string(i)] = "value";
  log.Add(SetOf(state));
  const StateChain base = Save(log, log.Seal(), 1);
  const std::string path = f.places->checkpoints->Locate(base[0].name);
  std::string file = testing::Slurp(path);
  file[file.size() / 2] ^= 1;
  testing::Overwrite(path, file);
  log.Add(SetOf({{"a", "1"}}));
  EXPECT_EQ(Save(log, log.Seal(), 2).size(), 2u);
  log.Add(SetOf({{"a", "2"}}));
  const auto merged = log.Save(log.Seal(), 3);
  EXPECT_TRUE(absl::IsDataLoss(merged.status())) << merged.status();
  EXPECT_THAT(Message(merged.status()), HasSubstr(base[0].name));
}

TEST(ChangeLog, GoesOnWhileItIsSaved) {
  Fixture f;
  ChangeLog log(f.places, kTask, {});
  constexpr int kRounds = 200;
  std::vector<std::pair<std::uint64_t, Entries>> sealed;
  std::mutex mutex;
  std::thread saver([&] {
    for (std::size_t saved = 0; saved < kRounds / 5;) {
      std::optional<std::pair<std::uint64_t, Entries>> next;
      {
        std::lock_guard lock(mutex);
        if (saved < sealed.size()) next = sealed[saved];
      }
      if (!next) {
        std::this_thread::yield();
        continue;
      }
      ++saved;
      ASSERT_EQ(f.Read(Save(log, next->first, saved)), next->second);
    }
  });
  Entries state;
  for (int round = 1; round <= kRounds; ++round) {
    Entries changes;
    for (int i = 0; i < 50; ++i) changes[std::to_string((round * 37 + i * 11) % 700)] = std::to_string(round);
    for (const auto& [key, value] : changes) state[key] = value;
    if (round % 3 == 0) {
      log.Add(SetOf(changes));
    } else {
      ASSERT_TRUE(log.AddOnDisk(SetOf(changes)).ok());
    }
    if (round % 5 != 0) continue;
    std::lock_guard lock(mutex);
    sealed.emplace_back(log.Seal(), state);
  }
  saver.join();
}

TEST(StateChain, MustBeginWithItsOnlyBase) {
  Fixture f;
  ChangeLog log(f.places, kTask, {});
  log.Add(SetOf({{"a", "1"}}));
  StateChain base = Save(log, log.Seal(), 1);
  CheckpointStore& store = *f.places->checkpoints;
  EXPECT_TRUE(OpenChain(store, base).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(OpenChain(store, {base[0], base[0]}).status()));
  base[0].base = false;
  EXPECT_TRUE(absl::IsInvalidArgument(OpenChain(store, base).status()));
}

TEST(StateChain, AnotherFileUnderTheNameIsFound) {
  Fixture f;
  ChangeLog log(f.places, kTask, {});
  log.Add(SetOf({{"a", "1"}}));
  StateChain chain = Save(log, log.Seal(), 1);
  chain[0].entries = 5;
  auto runs = OpenChain(*f.places->checkpoints, chain);
  ASSERT_TRUE(runs.ok());
  MergeCursor merged(*std::move(runs), Deleted::kDrop);
  const auto entries = testing::ReadAll(merged);
  EXPECT_TRUE(absl::IsDataLoss(entries.status())) << entries.status();
}

}  // namespace
}  // namespace millrace
