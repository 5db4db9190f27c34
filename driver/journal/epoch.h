// The driver's term on a data directory: its epoch, larger than that of every term before and durable before anyone
// hears of it. A driver alone holds a lock that keeps a second one out (flock: the kernel lets go when the process
// dies, however it does); one of several that share the directory claims its term instead (term_claim.h), and the one
// before finds that out by itself.
//
//   MR_ASSIGN_OR_RETURN(DriverTerm term, NextEpoch(data_dir));                    // alone
//   MR_ASSIGN_OR_RETURN(DriverTerm term, ClaimEpoch(data_dir, "driver-1:7077"));  // one of several
//   term.epoch();
//
// Files: `<data_dir>/epoch` (a decimal number) and `<data_dir>/driver.lock` (the pid of the holder) of a driver alone,
// `<data_dir>/terms/N` of one of several. A directory that was ever shared keeps its terms: a driver alone claims one,
// too, so that a forgotten one of several is fenced out. The lock is not for file systems without flock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "common/io/file.h"
#include "common/status.h"
#include "driver/journal/term_claim.h"

namespace millrace {

class DriverTerm {
 public:
  std::uint64_t epoch() const { return epoch_; }
  // Whether the directory is shared, or was: what is written must be checked, and goes to files of this term's own.
  bool fenced() const { return claim_.has_value(); }
  // OK while no newer term has begun. Any thread.
  absl::Status Check() const { return claim_ ? claim_->Check() : absl::OkStatus(); }

 private:
  friend absl::StatusOr<DriverTerm> NextEpoch(const std::string& data_dir);
  friend absl::StatusOr<DriverTerm> ClaimEpoch(const std::string& data_dir, const std::string& owner);
  DriverTerm(std::uint64_t epoch, Fd lock, std::optional<TermClaim> claim)
      : epoch_(epoch), lock_(std::move(lock)), claim_(std::move(claim)) {}
  std::uint64_t epoch_;
  Fd lock_;
  std::optional<TermClaim> claim_;
};

// FailedPrecondition, naming the directory and the pid, when another driver holds it; DataLoss when the epoch file is
// no number. Makes the directory when there is none.
absl::StatusOr<DriverTerm> NextEpoch(const std::string& data_dir);
// Errors as of NextEpoch and TermClaim::Take, but nobody is kept out.
absl::StatusOr<DriverTerm> ClaimEpoch(const std::string& data_dir, const std::string& owner);

}  // namespace millrace
