#include "executor/connectors/files_sink.h"

#include <array>
#include <cstdio>

#include "executor/connectors/options.h"
#include "executor/connectors/output_directory.h"

namespace millrace {
namespace {

constexpr std::array<std::string_view, 2> kNames = {"directory", "suffix"};

// A sink's uid as part of a file name: letters, digits, '_', '.' and '-' stay, a leading '.' and all else become %XX.
std::string FileNamePart(std::string_view uid) {
  std::string out;
  for (const char c : uid) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == '-' || (c == '.' && !out.empty());
    if (plain) {
      out.push_back(c);
      continue;
    }
    char hex[4];
    std::snprintf(hex, sizeof hex, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    out.append(hex);
  }
  return out;
}

std::string TwelveDigits(std::uint64_t batch) {
  std::string digits = std::to_string(batch);
  return digits.size() >= 12 ? digits : std::string(12 - digits.size(), '0') + digits;
}

class FilesWriter : public SinkWriter {
 public:
  FilesWriter(const std::string& directory, std::string suffix, const SinkPartition& partition)
      : directory_(directory),
        suffix_(std::move(suffix)),
        partition_(partition),
        sink_(FileNamePart(partition.sink)),
        prefix_(Concat(sink_, "-", partition.stage, "-", partition.partition, "-")) {}

  absl::StatusOr<std::uint64_t> Open() override {
    MR_RETURN_IF_ERROR(directory_.Create());
    MR_RETURN_IF_ERROR(directory_.Claim(sink_, partition_.job_id));
    // Taking away an older owner's staged file is also its fence: its rename then finds nothing.
    MR_RETURN_IF_ERROR(directory_.RemoveStaged(prefix_));
    return directory_.HighestBatch(prefix_, suffix_);
  }

  absl::Status Stage(std::uint64_t batch, std::int64_t /*batch_time_us*/, const RowBuffer& rows) override {
    staged_.clear();
    if (rows.empty()) return absl::OkStatus();
    // With the owner in the name two owners never write into one file.
    std::string staged = Concat(Name(batch), ".", partition_.epoch, ".", partition_.version, ".tmp");
    MR_RETURN_IF_ERROR(directory_.WriteStaged(staged, rows.rows()));
    staged_ = std::move(staged);
    return absl::OkStatus();
  }

  absl::Status Commit(std::uint64_t batch) override {
    if (staged_.empty()) return absl::OkStatus();
    return directory_.Publish(std::exchange(staged_, {}), Name(batch));
  }

 private:
  std::string Name(std::uint64_t batch) const { return Concat(prefix_, TwelveDigits(batch), suffix_); }

  const OutputDirectory directory_;
  const std::string suffix_;
  const SinkPartition partition_;
  const std::string sink_;
  const std::string prefix_;
  std::string staged_;  // name of the file that Commit will publish
};

class FilesSink : public Sink {
 public:
  FilesSink(std::string directory, std::string suffix) : directory_(std::move(directory)), suffix_(std::move(suffix)) {}

  absl::StatusOr<std::unique_ptr<SinkWriter>> NewWriter(const SinkPartition& partition) override {
    return std::make_unique<FilesWriter>(directory_, suffix_, partition);
  }

 private:
  const std::string directory_;
  const std::string suffix_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Sink>> MakeFilesSink(const engine::OperatorDescription& description) {
  OptionReader options("sink", description, kNames);
  MR_RETURN_IF_ERROR(options.CheckNames());
  MR_ASSIGN_OR_RETURN(std::string directory, options.Required("directory"));
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  std::string suffix = options.Text("suffix", ".txt");
  if (suffix.find('/') != std::string::npos)
    return options.Bad("suffix", "must not contain '/', as '", suffix, "' does");
  if (!suffix.empty() && suffix[0] >= '0' && suffix[0] <= '9') {
    return options.Bad("suffix", "must not begin with a digit, as '", suffix, "' does: it follows the batch number");
  }
  return std::make_unique<FilesSink>(std::move(directory), std::move(suffix));
}

}  // namespace millrace
