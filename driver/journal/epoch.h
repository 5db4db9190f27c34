// The driver's term on a data directory: its epoch, larger than that of every term before and durable before anyone
// hears of it, and a lock that keeps a second driver out for as long as the object lives (flock: the kernel lets go
// when the process dies, however it does).
//
//   MR_ASSIGN_OR_RETURN(DriverTerm term, NextEpoch(data_dir));
//   term.epoch();
//
// Files: `<data_dir>/epoch` (a decimal number), `<data_dir>/driver.lock` (the pid of the holder). Not for file systems
// without flock.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "common/io/file.h"
#include "common/status.h"

namespace millrace {

class DriverTerm {
 public:
  std::uint64_t epoch() const { return epoch_; }

 private:
  friend absl::StatusOr<DriverTerm> NextEpoch(const std::string& data_dir);
  DriverTerm(std::uint64_t epoch, Fd lock) : epoch_(epoch), lock_(std::move(lock)) {}
  std::uint64_t epoch_;
  Fd lock_;
};

// FailedPrecondition, naming the directory and the pid, when another driver holds it; DataLoss when the epoch file is
// no number. Makes the directory when there is none.
absl::StatusOr<DriverTerm> NextEpoch(const std::string& data_dir);

}  // namespace millrace
