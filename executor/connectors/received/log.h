// The write-ahead log of one receiver: numbered entries in the storage that all runners of a job share, each a file of
// its own that is complete or not there, and that is given a number once.
//
//   ReceivedLog log(store, "received/j-1/op0/0");
//   MR_RETURN_IF_ERROR(log.Claim());             // from here nobody else can append
//   MR_ASSIGN_OR_RETURN(auto entry, log.Append(records));
//
// That a number is given once is the fence: whoever owns the split begins with an empty entry of the next free number,
// and an owner from before, who does not know yet, finds his own next number taken. Then nothing that he takes in is
// acknowledged any more.
//
// Thread rule: Read and DropBefore from any thread; Claim and Append on one. Errors: Aborted when the split has another
// owner; DataLoss names a damaged file, NotFound one that is gone; else the storage's.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "executor/connectors/received/entry.h"
#include "executor/state/checkpoint_store.h"

namespace millrace {

class ReceivedLog {
 public:
  ReceivedLog(std::shared_ptr<CheckpointStore> store, std::string name);

  absl::Status Claim();
  // The entry as it is stored now. An error but Aborted leaves the number to the next try.
  absl::StatusOr<std::shared_ptr<const received::Entry>> Append(std::span<const ReceivedRecord* const> records);
  absl::StatusOr<std::shared_ptr<const received::Entry>> Read(std::uint64_t number) const;
  // The number that the next entry gets, after Claim.
  std::uint64_t end() const;
  // Deletes entries before this one, but the newest ones: they tell the next owner which records came lately.
  absl::Status DropBefore(std::uint64_t number);

  static constexpr std::size_t kNewestKept = 64;
  const std::string& name() const { return name_; }

 private:
  std::string FileOf(std::uint64_t number) const;
  absl::StatusOr<std::string> ReadFile(std::uint64_t number) const;
  absl::Status Put(std::uint64_t number, const std::string& bytes);

  const std::shared_ptr<CheckpointStore> store_;
  const std::string name_;
  const std::uint64_t writer_;
  mutable std::mutex mutex_;         // guards the next two
  std::deque<std::uint64_t> there_;  // numbers, ascending
  std::uint64_t next_ = 0;
};

}  // namespace millrace
