// The Cluster service: streams of executors and runners, and the libraries they fetch. Decodes, authorises, posts;
// decides nothing.
#pragma once

#include "driver/driver.h"
#include "millrace/v1/cluster.grpc.pb.h"

namespace millrace {

class ClusterService final : public v1::Cluster::CallbackService {
 public:
  explicit ClusterService(Driver& driver) : driver_(driver) {}

  grpc::ServerBidiReactor<v1::ExecutorMessage, v1::ExecutorCommand>* Executor(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::RunnerMessage, v1::RunnerCommand>* Runner(grpc::CallbackServerContext* context) override;
  grpc::ServerWriteReactor<v1::ArtifactChunk>* FetchArtifact(grpc::CallbackServerContext* context,
                                                             const v1::FetchArtifactRequest* request) override;

 private:
  Driver& driver_;  // outlives the server
};

}  // namespace millrace
