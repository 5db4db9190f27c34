#include "driver/journal/term_claim.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <limits>
#include <random>
#include <system_error>
#include <vector>

#include "common/io/file.h"

namespace millrace {
namespace {

constexpr std::uint64_t kSmallFile = 4096;
constexpr int kTries = 100;  // each lost to another driver that began a term just then

std::string TermsDir(const std::string& data_dir) { return data_dir + "/terms"; }

// The numbers of the terms whose files are there, ascending. Other names are not ours to judge.
absl::StatusOr<std::vector<std::uint64_t>> List(const std::string& dir) {
  std::vector<std::uint64_t> terms;
  std::error_code error;
  std::filesystem::directory_iterator entries(dir, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    std::uint64_t term = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), term);
    if (bad == std::errc() && end == name.data() + name.size()) terms.push_back(term);
  }
  if (error) return ErrnoStatus(error.value(), Concat("cannot list ", dir));
  std::ranges::sort(terms);
  return terms;
}

absl::Status WriteDurably(const std::string& path, std::string_view content) {
  MR_ASSIGN_OR_RETURN(const Fd file, OpenFile(path, O_WRONLY | O_CREAT | O_EXCL));
  MR_RETURN_IF_ERROR(WriteAt(file, content, 0, path));
  return SyncData(file, path);
}

// Gives the file a second name if there is none such. AlreadyExists when there is.
absl::Status LinkExclusively(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  const int error = errno;
  // Over NFS the answer to a call that worked can be lost, and the repeated call then fails.
  struct stat info;
  if (::stat(from.c_str(), &info) == 0 && info.st_nlink == 2) return absl::OkStatus();
  if (error == EEXIST) return AlreadyExists(to, " exists");
  return ErrnoStatus(error, Concat("cannot make ", to));
}

// Makes the file of the next free term, and tells its number.
absl::StatusOr<std::uint64_t> MakeNext(const std::string& dir, std::uint64_t at_least, const std::string& prepared) {
  for (int i = 0; i < kTries; ++i) {
    MR_ASSIGN_OR_RETURN(const auto terms, List(dir));
    const std::uint64_t last = std::max(at_least, terms.empty() ? 0 : terms.back());
    if (last == std::numeric_limits<std::uint64_t>::max())
      return DataLoss("the newest term in ", dir, " has the largest number there is: remove that file");
    const absl::Status made = LinkExclusively(prepared, Concat(dir, "/", last + 1));
    if (made.ok()) return last + 1;
    if (!absl::IsAlreadyExists(made)) return made;
  }
  return Unavailable("other drivers begin terms in ", dir, " all the time: are too many of them started?");
}

absl::Status RemoveOlder(const std::string& dir, std::uint64_t than) {
  MR_ASSIGN_OR_RETURN(const auto terms, List(dir));
  for (const std::uint64_t term : terms) {
    if (term < than) MR_RETURN_IF_ERROR(RemoveFile(Concat(dir, "/", term)));
  }
  return SyncDirectory(dir);
}

}  // namespace

absl::StatusOr<TermClaim> TermClaim::Take(const std::string& data_dir, std::uint64_t at_least,
                                          const std::string& owner) {
  const std::string dir = TermsDir(data_dir);
  MR_RETURN_IF_ERROR(MakeDirectories(dir));
  std::random_device random;
  const std::string unique = Concat(::getpid(), "-", random(), "-", random());
  const std::string prepared = Concat(dir, "/claim-", unique);
  const std::string content = Concat(owner, " ", unique, "\n");
  absl::Status status = WriteDurably(prepared, content);
  std::uint64_t number = 0;
  if (status.ok()) {
    auto made = MakeNext(dir, at_least, prepared);
    status = made.status();
    if (made.ok()) number = *made;
  }
  (void)RemoveFile(prepared);
  MR_RETURN_IF_ERROR(Annotate(status, "no term could be begun"));
  MR_RETURN_IF_ERROR(SyncDirectory(dir));
  MR_RETURN_IF_ERROR(RemoveOlder(dir, number));
  TermClaim claim(dir, number, content);
  MR_RETURN_IF_ERROR(claim.Check());
  return claim;
}

absl::StatusOr<bool> TermClaim::AnyIn(const std::string& data_dir) {
  std::error_code error;
  const bool there = std::filesystem::exists(TermsDir(data_dir), error);
  if (error) return ErrnoStatus(error.value(), Concat("cannot look for ", TermsDir(data_dir)));
  return there;
}

absl::Status TermClaim::Check() const {
  const auto content = ReadFile(path(), kSmallFile);
  if (content.ok() && *content == content_) return absl::OkStatus();
  if (!content.ok() && !absl::IsNotFound(content.status()))
    return Annotate(content.status(), "it is not known whether term ", number_, " is over");
  const auto terms = List(dir_);
  if (!terms.ok() || terms->empty() || terms->back() <= number_)
    return Aborted("term ", number_, " is over: its file ", path(), " is gone");
  const auto newer = ReadFile(Concat(dir_, "/", terms->back()), kSmallFile);
  const std::string owner = newer.ok() ? newer->substr(0, newer->find(' ')) : std::string("another driver");
  return Aborted("term ", number_, " is over: ", owner, " has begun term ", terms->back());
}

}  // namespace millrace
