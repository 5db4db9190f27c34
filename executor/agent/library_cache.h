// Job libraries on the executor's disk, fetched from the driver once and checked each time they are used.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/event_loop.h"
#include "common/io/artifact_store.h"
#include "millrace/v1/cluster.grpc.pb.h"

namespace millrace {

// Loop thread only; fetching runs on threads of its own, one a library.
class LibraryCache {
 public:
  using Done = std::function<void(absl::StatusOr<std::string> image)>;  // on the loop thread

  // `driver`: the connection to fetch from, asked on the loop thread each time.
  LibraryCache(EventLoop& loop, ArtifactStore store, std::function<std::shared_ptr<grpc::Channel>()> driver);
  ~LibraryCache();

  // Gives the library's bytes, verified. Unavailable when the driver cannot be reached, NotFound when it has no such
  // library.
  void Get(const std::string& sha256, Done done);

 private:
  absl::Status Fetch(const std::string& sha256, const std::shared_ptr<grpc::Channel>& driver);
  absl::StatusOr<std::string> Load(const std::string& sha256, const std::shared_ptr<grpc::Channel>& driver);

  EventLoop& loop_;
  const ArtifactStore store_;
  const std::function<std::shared_ptr<grpc::Channel>()> driver_;
  std::map<std::string, std::vector<Done>> waiting_;
  std::map<std::string, std::thread> fetching_;
};

}  // namespace millrace
