#include "executor/connectors/files/s3_store.h"

#include <fnmatch.h>
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "common/status.h"

namespace millrace {
namespace {

constexpr std::uint64_t kPieceBytes = 8 << 20;

std::uint64_t IdentityOf(std::string_view etag) { return XXH3_64bits(etag.data(), etag.size()); }

class OpenObject final : public FileBytes {
 public:
  OpenObject(std::shared_ptr<S3Client> client, S3Url object, std::uint64_t identity)
      : client_(std::move(client)), object_(std::move(object)), identity_(identity) {}

  absl::StatusOr<std::string> Read(std::uint64_t from, std::uint64_t size) override {
    std::string bytes;
    while (bytes.size() < size) {
      const std::uint64_t at = from + bytes.size();
      auto piece = client_->Get(object_, at, std::min(kPieceBytes, size - bytes.size()));
      if (absl::IsNotFound(piece.status()))
        return DataLoss("object '", ToString(object_), "' is gone; it was not read to its end");
      MR_RETURN_IF_ERROR(piece.status());
      // Nothing comes from behind the end, and then no tag either.
      if (!piece->etag.empty() && IdentityOf(piece->etag) != identity_) return Replaced();
      if (piece->data.empty()) {
        if (from > 0) MR_RETURN_IF_ERROR(CheckSame());
        break;
      }
      bytes += piece->data;
      if (at + piece->data.size() >= piece->object_bytes) break;
    }
    return bytes;
  }

 private:
  // What lies behind the end has no tag: the object may be another, shorter one.
  absl::Status CheckSame() {
    MR_ASSIGN_OR_RETURN(const S3Piece front, client_->Get(object_, 0, 1));
    if (front.etag.empty() || IdentityOf(front.etag) == identity_) return absl::OkStatus();
    return Replaced();
  }
  absl::Status Replaced() const {
    return DataLoss("object '", ToString(object_),
                    "' was put anew with other bytes before it was read to its end; give new data new names");
  }

  const std::shared_ptr<S3Client> client_;
  const S3Url object_;
  const std::uint64_t identity_;
};

// Like a directory's: a part of the path that begins with '.' or '_' hides what is under it.
bool Hidden(std::string_view path) {
  while (true) {
    if (path.starts_with('.') || path.starts_with('_')) return true;
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

absl::StatusOr<std::vector<TextFile>> S3Store::List() {
  auto objects = client_->List(place_.bucket, Root());
  MR_RETURN_IF_ERROR(objects.status());
  std::vector<TextFile> files;
  for (const S3Object& object : *objects) {
    std::string path = object.key.substr(Root().size());
    const std::string name = path.substr(path.rfind('/') + 1);
    if (name.empty() || Hidden(path) || fnmatch(pattern_.c_str(), name.c_str(), 0) != 0) continue;
    files.push_back({std::move(path), IdentityOf(object.etag)});
  }
  std::sort(files.begin(), files.end(), [](const TextFile& a, const TextFile& b) { return a.path < b.path; });
  return files;
}

std::unique_ptr<FileBytes> S3Store::Open(const TextFile& file) {
  return std::make_unique<OpenObject>(client_, ObjectOf(file), file.identity);
}

}  // namespace millrace
