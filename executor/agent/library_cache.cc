#include "executor/agent/library_cache.h"

#include <chrono>

#include "common/net/grpc_status.h"
#include "common/status.h"

namespace millrace {
namespace {
constexpr std::chrono::seconds kFetchDeadline{120};
}

LibraryCache::LibraryCache(EventLoop& loop, ArtifactStore store, std::function<std::shared_ptr<grpc::Channel>()> driver)
    : loop_(loop), store_(std::move(store)), driver_(std::move(driver)) {}

LibraryCache::~LibraryCache() {
  for (auto& [sha256, thread] : fetching_) thread.join();
}

void LibraryCache::Get(const std::string& sha256, Done done) {
  std::vector<Done>& waiting = waiting_[sha256];
  waiting.push_back(std::move(done));
  if (waiting.size() > 1) return;  // under way
  fetching_[sha256] = std::thread([this, sha256, driver = driver_()] {
    absl::StatusOr<std::string> image = Load(sha256, driver);
    loop_.Post([this, sha256, image = std::move(image)] {
      fetching_[sha256].join();
      fetching_.erase(sha256);
      const std::vector<Done> dones = std::move(waiting_[sha256]);
      waiting_.erase(sha256);
      for (const Done& d : dones) d(image);
    });
  });
}

absl::StatusOr<std::string> LibraryCache::Load(const std::string& sha256,
                                               const std::shared_ptr<grpc::Channel>& driver) {
  if (!store_.Has(sha256) || !store_.Verify(sha256).ok()) {
    MR_RETURN_IF_ERROR(store_.Remove(sha256));
    MR_RETURN_IF_ERROR(Fetch(sha256, driver));
  }
  return ReadFile(store_.Path(sha256), kMaxArtifactBytes);
}

absl::Status LibraryCache::Fetch(const std::string& sha256, const std::shared_ptr<grpc::Channel>& driver) {
  const auto stub = v1::Cluster::NewStub(driver);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kFetchDeadline);
  v1::FetchArtifactRequest request;
  request.set_sha256(sha256);
  const auto reader = stub->FetchArtifact(&context, request);
  std::string image;  // the size is not known before, so the upload to the store begins when all is here
  v1::ArtifactChunk chunk;
  while (reader->Read(&chunk)) {
    if (image.size() + chunk.data().size() > kMaxArtifactBytes) {
      context.TryCancel();
      return ResourceExhausted("the library is larger than ", kMaxArtifactBytes, " bytes");
    }
    image += chunk.data();
  }
  MR_RETURN_IF_ERROR(Annotate(FromGrpc(reader->Finish()), "fetching the job library from the driver"));
  MR_ASSIGN_OR_RETURN(ArtifactUpload upload, store_.Begin(image.size(), sha256));
  MR_RETURN_IF_ERROR(upload.Append(image));
  return upload.Finish();
}

}  // namespace millrace
