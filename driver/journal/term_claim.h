// The fence between drivers that share a data directory. A term begins by making `<data_dir>/terms/N`, N larger than
// any before, and removing the files of older terms, durably; only then may the journals be read. Whoever writes looks,
// after each sync and before he tells anybody that a record is durable, whether the file of his own term is still
// there. So either the new term reads the record, or the old one finds that its time is over: no clock, no lock, and no
// lease is trusted.
//
//   MR_ASSIGN_OR_RETURN(TermClaim claim, TermClaim::Take(data_dir, last_epoch, "driver-1:7077"));
//   … write, sync …
//   MR_RETURN_IF_ERROR(claim.Check());  // only now is it durable
//
// A file that is made exclusively (link) and removed, rather than one number that is replaced: two drivers that begin
// at the same time get different numbers, and a slow one cannot put an old number over a new one. The look opens a file
// that was there before, which is what NFS (close-to-open) answers from the server and not from a cache.
//
// Immutable after Take; Check from any thread, one small read.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "common/status.h"

namespace millrace {

class TermClaim {
 public:
  // Begins a term whose number is larger than `at_least` and than any that was claimed. `owner` is for people, and in
  // the error that the driver before gets. Aborted when yet another driver has begun a term meanwhile.
  static absl::StatusOr<TermClaim> Take(const std::string& data_dir, std::uint64_t at_least, const std::string& owner);
  // Whether a term was ever claimed there.
  static absl::StatusOr<bool> AnyIn(const std::string& data_dir);

  std::uint64_t number() const { return number_; }
  // Aborted, naming the newer driver, once another has begun a term; any other error means that it is not known.
  absl::Status Check() const;

 private:
  TermClaim(std::string dir, std::uint64_t number, std::string content)
      : dir_(std::move(dir)), number_(number), content_(std::move(content)) {}
  std::string path() const { return Concat(dir_, "/", number_); }

  std::string dir_;
  std::uint64_t number_;
  std::string content_;
};

}  // namespace millrace
