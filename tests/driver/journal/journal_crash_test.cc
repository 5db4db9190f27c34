// Kills a process that writes a journal, again and again at another moment, and looks at what it left: everything that
// was acknowledged must be there, in order, also when the file was just being compacted.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <mutex>
#include <random>

#include "driver/journal/journal.h"
#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

using testing::ScratchDirectory;
using v1::durable::JournalRecord;

// The driver's part, until it is killed: appends batches from `next` on, and writes each acknowledged one into
// `acknowledgements`.
[[noreturn]] void WriteUntilKilled(const std::string& dir, std::uint64_t next, int acknowledgements) {
  std::mutex mutex;
  std::uint64_t appended = next - 1;
  JournalService* service = nullptr;
  JournalOptions options{.compact_bytes = 2000};
  options.on_compact = [&](const std::string& job) {
    std::lock_guard lock(mutex);
    v1::durable::Snapshot snapshot;
    snapshot.set_last_batch(appended);
    if (!service->Rewrite(job, snapshot).ok()) ::_exit(1);
  };
  JournalService journal(options);
  service = &journal;
  if (!journal.OpenJob("job", dir).ok()) ::_exit(1);
  if (next == 1) {
    JournalRecord first;
    first.mutable_snapshot()->set_last_batch(0);
    if (!journal.Append("job", first, nullptr).ok()) ::_exit(1);
  }
  while (true) {
    std::lock_guard lock(mutex);
    JournalRecord record;
    record.mutable_planned()->set_batch(appended + 1);
    const absl::Status status =
        journal.Append("job", record, [acknowledgements, batch = appended + 1](const absl::Status& durable) {
          if (!durable.ok() || ::write(acknowledgements, &batch, sizeof batch) != sizeof batch) ::_exit(1);
        });
    if (status.ok()) ++appended;
  }
}

TEST(JournalCrash, WhatWasAcknowledgedSurvivesAKill) {
  ScratchDirectory dir;
  std::mt19937_64 random(3);
  std::uint64_t next = 1;
  for (int round = 0; round < 40; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    if (child == 0) WriteUntilKilled(dir / "job", next, pipe[1]);
    ::close(pipe[1]);
    std::uint64_t acknowledged = 0;
    const std::uint64_t enough = random() % 2000 + 1;
    for (std::uint64_t i = 0; i < enough; ++i) {
      ASSERT_EQ(::read(pipe[0], &acknowledged, sizeof acknowledged), static_cast<ssize_t>(sizeof acknowledged));
    }
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int how = 0;
    ASSERT_EQ(::waitpid(child, &how, 0), child);
    ASSERT_TRUE(WIFSIGNALED(how));
    while (::read(pipe[0], &acknowledged, sizeof acknowledged) == static_cast<ssize_t>(sizeof acknowledged)) {
    }
    ::close(pipe[0]);

    const auto records = ReadJob(dir / "job");
    ASSERT_TRUE(records.ok()) << records.status();
    std::uint64_t batch = records->front().snapshot().last_batch();
    for (std::size_t i = 1; i < records->size(); ++i) ASSERT_EQ(records->at(i).planned().batch(), ++batch);
    ASSERT_GE(batch, acknowledged);
    next = batch + 1;
  }
}

}  // namespace
}  // namespace millrace
