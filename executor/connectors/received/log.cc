#include "executor/connectors/received/log.h"

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>
#include <vector>

#include "common/status.h"

namespace millrace {
namespace {

constexpr std::size_t kDigits = 20;
constexpr std::string_view kSuffix = ".log";
constexpr std::size_t kReadBytes = std::size_t{256} << 10;

std::uint64_t RandomWriter() {
  std::random_device random;
  return (std::uint64_t{random()} << 32) | random();
}

}  // namespace

ReceivedLog::ReceivedLog(std::shared_ptr<CheckpointStore> store, std::string name)
    : store_(std::move(store)), name_(std::move(name)), writer_(RandomWriter()) {}

std::string ReceivedLog::FileOf(std::uint64_t number) const {
  std::string digits = std::to_string(number);
  digits.insert(0, kDigits - digits.size(), '0');  // so that a listing is in order
  return Concat(name_, "/", digits, kSuffix);
}

std::uint64_t ReceivedLog::end() const {
  const std::lock_guard lock(mutex_);
  return next_;
}

absl::Status ReceivedLog::Claim() {
  MR_ASSIGN_OR_RETURN(const std::vector<CheckpointEntry> files, store_->List(name_ + "/"));
  std::deque<std::uint64_t> there;
  for (const CheckpointEntry& file : files) {
    std::uint64_t number = 0;
    const std::string_view digits = std::string_view(file.name).substr(name_.size() + 1);
    const auto [at, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc() && file.name == FileOf(number)) there.push_back(number);
  }
  std::ranges::sort(there);
  std::uint64_t next = there.empty() ? 0 : there.back() + 1;
  const std::string claim = received::EncodeEntry(writer_, {});
  for (;; ++next) {  // past what the owner before has just stored
    const absl::Status put = Put(next, claim);
    there.push_back(next);
    if (put.ok()) break;
    if (!absl::IsAborted(put)) return put;
  }
  const std::lock_guard lock(mutex_);
  there_ = std::move(there);
  next_ = next + 1;
  return absl::OkStatus();
}

// Aborted: the number is another's. AlreadyExists: it is ours, of a try that the storage had reported as failed.
absl::Status ReceivedLog::Put(std::uint64_t number, const std::string& bytes) {
  const std::string file = FileOf(number);
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<CheckpointWriter> writer, store_->Put(file));
  MR_RETURN_IF_ERROR(writer->Append(bytes));
  const absl::Status committed = writer->Commit();
  if (!absl::IsAlreadyExists(committed)) return committed;
  // A storage that is far away may have stored it and told us otherwise.
  MR_ASSIGN_OR_RETURN(std::string there, ReadFile(number));
  if (there == bytes) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(const auto entry, received::Entry::Parse(store_->Locate(file), number, std::move(there)));
  if (entry->writer() == writer_) return committed;
  return Aborted("another runner receives for ", name_, " now");
}

absl::StatusOr<std::shared_ptr<const received::Entry>> ReceivedLog::Append(
    std::span<const ReceivedRecord* const> records) {
  std::string bytes = received::EncodeEntry(writer_, records);
  std::uint64_t number = end();
  for (bool stored = false; !stored; ++number) {
    const absl::Status put = Put(number, bytes);
    if (!put.ok() && !absl::IsAlreadyExists(put)) return put;
    stored = put.ok();  // else what the earlier try has stored is in the log after all, and this comes behind it
    const std::lock_guard lock(mutex_);
    there_.push_back(number);
    next_ = number + 1;
  }
  --number;
  return received::Entry::Parse(FileOf(number), number, std::move(bytes));
}

absl::StatusOr<std::shared_ptr<const received::Entry>> ReceivedLog::Read(std::uint64_t number) const {
  MR_ASSIGN_OR_RETURN(std::string bytes, ReadFile(number));
  return received::Entry::Parse(store_->Locate(FileOf(number)), number, std::move(bytes));
}

absl::StatusOr<std::string> ReceivedLog::ReadFile(std::uint64_t number) const {
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<CheckpointReader> reader, store_->Open(FileOf(number)));
  std::string bytes;
  for (;;) {
    const std::size_t before = bytes.size();
    bytes.resize(before + kReadBytes);
    MR_ASSIGN_OR_RETURN(const std::size_t n, reader->Read(std::span(bytes).subspan(before)));
    bytes.resize(before + n);
    if (n == 0) return bytes;
  }
}

absl::Status ReceivedLog::DropBefore(std::uint64_t number) {
  std::vector<std::uint64_t> old;
  {
    const std::lock_guard lock(mutex_);
    while (there_.size() > kNewestKept && there_.front() < number) {
      old.push_back(there_.front());
      there_.pop_front();
    }
  }
  for (const std::uint64_t one : old) MR_RETURN_IF_ERROR(store_->Delete(FileOf(one)));
  return absl::OkStatus();
}

}  // namespace millrace
