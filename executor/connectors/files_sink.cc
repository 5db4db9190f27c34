#include "executor/connectors/files_sink.h"

#include <array>
#include <cstdio>
#include <utility>

#include "executor/connectors/files/batch_name.h"
#include "executor/connectors/files/s3_output.h"
#include "executor/connectors/files/s3_place.h"
#include "executor/connectors/options.h"
#include "executor/connectors/output_directory.h"

namespace millrace {
namespace {

constexpr std::array<std::string_view, 7> kNames = {
    "directory", "suffix", "compression", "s3_endpoint", "s3_region", "s3_credentials_file", "s3_ca_file"};
constexpr std::array<std::string_view, 3> kCompressions = {"none", "gzip", "zstd"};

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

// What the writers of a sink share.
struct Settings {
  std::string directory;
  S3Place s3;  // when the directory is an s3:// address
  std::string suffix;
  FileCodec codec = FileCodec::kNone;

  std::unique_ptr<OutputPlace> Open() const {
    if (s3.client != nullptr) return std::make_unique<S3Output>(s3.client, s3.url);
    return std::make_unique<OutputDirectory>(directory);
  }
};

class FilesWriter : public SinkWriter {
 public:
  FilesWriter(const Settings& settings, const SinkPartition& partition)
      : place_(settings.Open()),
        suffix_(settings.suffix),
        codec_(settings.codec),
        partition_(partition),
        sink_(FileNamePart(partition.sink)),
        prefix_(Concat(sink_, "-", partition.stage, "-", partition.partition, "-")) {}

  absl::StatusOr<std::uint64_t> Open() override {
    MR_RETURN_IF_ERROR(place_->Claim(sink_, partition_.job_id));
    // Taking away an older owner's staged file is also its fence: it then finds nothing to publish.
    MR_RETURN_IF_ERROR(place_->RemoveStaged(prefix_));
    return place_->HighestBatch(prefix_, suffix_);
  }

  absl::Status Stage(std::uint64_t batch, std::int64_t /*batch_time_us*/, const RowBuffer& rows) override {
    staged_ = false;
    if (rows.empty()) return absl::OkStatus();
    MR_RETURN_IF_ERROR(place_->Stage(Concat(prefix_, BatchDigits(batch), suffix_),
                                     Concat(partition_.epoch, ".", partition_.version), RowText(rows.rows(), codec_)));
    staged_ = true;
    return absl::OkStatus();
  }

  absl::Status Commit(std::uint64_t /*batch*/) override {
    if (!std::exchange(staged_, false)) return absl::OkStatus();  // the batch has no rows
    return place_->Publish();
  }

 private:
  const std::unique_ptr<OutputPlace> place_;
  const std::string suffix_;
  const FileCodec codec_;
  const SinkPartition partition_;
  const std::string sink_;
  const std::string prefix_;
  bool staged_ = false;
};

class FilesSink : public Sink {
 public:
  explicit FilesSink(Settings settings) : settings_(std::move(settings)) {}

  absl::StatusOr<std::unique_ptr<SinkWriter>> NewWriter(const SinkPartition& partition) override {
    return std::make_unique<FilesWriter>(settings_, partition);
  }

 private:
  const Settings settings_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Sink>> MakeFilesSink(const engine::OperatorDescription& description) {
  OptionReader options("sink", description, kNames);
  MR_RETURN_IF_ERROR(options.CheckNames());
  Settings settings;
  MR_ASSIGN_OR_RETURN(settings.directory, options.Required("directory"));
  while (settings.directory.size() > 1 && settings.directory.ends_with('/')) settings.directory.pop_back();
  if (IsS3Url(settings.directory)) {
    MR_ASSIGN_OR_RETURN(settings.s3, ReadS3Place(options, "directory", settings.directory));
  }
  MR_ASSIGN_OR_RETURN(const std::string compression, options.Choice("compression", kCompressions));
  if (compression == "gzip") settings.codec = FileCodec::kGzip;
  if (compression == "zstd") settings.codec = FileCodec::kZstd;
  std::string& suffix = settings.suffix;
  suffix = options.Text("suffix", ".txt");
  if (suffix.find('/') != std::string::npos)
    return options.Bad("suffix", "must not contain '/', as '", suffix, "' does");
  if (!suffix.empty() && suffix[0] >= '0' && suffix[0] <= '9') {
    return options.Bad("suffix", "must not begin with a digit, as '", suffix, "' does: it follows the batch number");
  }
  // So that everybody, this library's own source too, knows what it is.
  if (settings.codec == FileCodec::kGzip) suffix += ".gz";
  if (settings.codec == FileCodec::kZstd) suffix += ".zst";
  return std::make_unique<FilesSink>(std::move(settings));
}

}  // namespace millrace
