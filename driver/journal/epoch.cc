#include "driver/journal/epoch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <limits>
#include <string_view>

namespace millrace {
namespace {

constexpr std::uint64_t kSmallFile = 4096;

std::string Trimmed(const std::string& text) { return text.substr(0, text.find_last_not_of(" \n") + 1); }

absl::StatusOr<Fd> LockDirectory(const std::string& data_dir) {
  const std::string path = data_dir + "/driver.lock";
  MR_ASSIGN_OR_RETURN(Fd lock, OpenFile(path, O_RDWR | O_CREAT));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, Concat("cannot lock ", path));
    const auto holder = ReadFile(path, kSmallFile);
    const std::string pid = holder.ok() ? Trimmed(*holder) : "";
    return FailedPrecondition("data directory ", data_dir, " is in use by another driver (pid ",
                              pid.empty() ? "unknown" : pid,
                              "): stop it, or give this one a data directory of its own");
  }
  if (::ftruncate(lock.get(), 0) != 0) return ErrnoStatus(errno, Concat("cannot write ", path));
  MR_RETURN_IF_ERROR(WriteAt(lock, Concat(::getpid(), "\n"), 0, path));
  return lock;
}

absl::StatusOr<std::uint64_t> ReadEpoch(const std::string& path) {
  const auto text = ReadFile(path, kSmallFile);
  if (absl::IsNotFound(text.status())) return std::uint64_t{0};
  MR_RETURN_IF_ERROR(text.status());
  const std::string digits = Trimmed(*text);
  std::uint64_t epoch = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), epoch);
  if (error != std::errc() || end != digits.data() + digits.size() ||
      epoch == std::numeric_limits<std::uint64_t>::max()) {
    return DataLoss("epoch file ", path,
                    " is damaged: it must hold one number; write one into it that is larger than any epoch in the log");
  }
  return epoch;
}

}  // namespace

absl::StatusOr<DriverTerm> NextEpoch(const std::string& data_dir) {
  MR_RETURN_IF_ERROR(MakeDirectories(data_dir));
  MR_ASSIGN_OR_RETURN(Fd lock, LockDirectory(data_dir));
  const std::string path = data_dir + "/epoch";
  MR_ASSIGN_OR_RETURN(const std::uint64_t last, ReadEpoch(path));
  MR_ASSIGN_OR_RETURN(const bool shared, TermClaim::AnyIn(data_dir));
  if (!shared) {
    MR_RETURN_IF_ERROR(WriteFileAtomically(path, Concat(last + 1, "\n")));
    return DriverTerm(last + 1, std::move(lock), std::nullopt);
  }
  MR_ASSIGN_OR_RETURN(TermClaim claim, TermClaim::Take(data_dir, last, Concat("pid-", ::getpid())));
  const std::uint64_t epoch = claim.number();
  return DriverTerm(epoch, std::move(lock), std::move(claim));
}

absl::StatusOr<DriverTerm> ClaimEpoch(const std::string& data_dir, const std::string& owner) {
  MR_RETURN_IF_ERROR(MakeDirectories(data_dir));
  MR_ASSIGN_OR_RETURN(const std::uint64_t last, ReadEpoch(data_dir + "/epoch"));
  MR_ASSIGN_OR_RETURN(TermClaim claim, TermClaim::Take(data_dir, last, owner));
  const std::uint64_t epoch = claim.number();
  return DriverTerm(epoch, Fd(), std::move(claim));
}

}  // namespace millrace
