#include "driver/service/control_service.h"

#include <algorithm>
#include <limits>

#include "common/log.h"
#include "common/net/grpc_status.h"
#include "common/net/server_writer.h"
#include "common/status.h"
#include "common/version.h"
#include "driver/service/submit_session.h"

namespace millrace {
namespace {

constexpr std::uint32_t kDefaultBatches = 20;
constexpr std::uint32_t kMostBatches = 1000;
constexpr std::size_t kFollowerQueue = 10'000;
constexpr std::uint64_t kLongestStop = 24 * 3'600'000'000ULL;

absl::Status CheckClient(const grpc::CallbackServerContext& context, const Driver& driver, std::string_view method) {
  const absl::Status allowed = RequireRole(context, driver.identity(), {"client"}, Concat("Control/", method));
  if (!allowed.ok()) log::Warn("peer refused", {{"peer", context.peer()}, {"why", Message(allowed)}});
  return allowed;
}

template <class Out>
grpc::ServerWriteReactor<Out>* Refuse(const absl::Status& status) {
  auto writer = ServerWriter<Out>::Make(1, nullptr, nullptr);
  writer->Close(ToGrpc(status));
  return writer->reactor();
}

}  // namespace

grpc::ServerUnaryReactor* ControlService::Answer(grpc::CallbackServerContext* context, std::string_view method,
                                                 std::function<absl::Status()> answer) {
  auto* reactor = context->DefaultReactor();
  if (const absl::Status allowed = CheckClient(*context, driver_, method); !allowed.ok()) {
    reactor->Finish(ToGrpc(allowed));
    return reactor;
  }
  driver_.loop().Post([reactor, answer = std::move(answer)] { reactor->Finish(ToGrpc(answer())); });
  return reactor;
}

grpc::ServerBidiReactor<v1::SubmitRequest, v1::SubmitProgress>* ControlService::Submit(
    grpc::CallbackServerContext* context) {
  return SubmitSession::Open(driver_, CheckClient(*context, driver_, "Submit"));
}

grpc::ServerUnaryReactor* ControlService::ListJobs(grpc::CallbackServerContext* context,
                                                   const v1::ListJobsRequest* request, v1::ListJobsResponse* response) {
  return Answer(context, "ListJobs", [this, request, response] {
    for (const auto& [id, job] : driver_.jobs()) {
      if (!job->ended() || request->all()) *response->add_jobs() = job->Status(1, false);
    }
    std::ranges::sort(*response->mutable_jobs(), {}, [](const v1::JobStatus& job) { return job.submitted_time_us(); });
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ControlService::GetJob(grpc::CallbackServerContext* context, const v1::GetJobRequest* request,
                                                 v1::JobStatus* response) {
  return Answer(context, "GetJob", [this, request, response]() -> absl::Status {
    MR_ASSIGN_OR_RETURN(const auto job, driver_.FindJob(request->job()));
    const std::uint32_t batches =
        request->batches() == 0 ? kDefaultBatches : std::min(request->batches(), kMostBatches);
    *response = job->Status(batches, request->plan());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ControlService::StopJob(grpc::CallbackServerContext* context,
                                                  const v1::StopJobRequest* request, v1::StopJobResponse* response) {
  return Answer(context, "StopJob", [this, request, response]() -> absl::Status {
    MR_ASSIGN_OR_RETURN(const auto job, driver_.FindJob(request->job()));
    if (job->ended()) return FailedPrecondition("job ", job->record().id, " has ended already");
    job->Handle(StopRequested{request->now(), request->drain(),
                              static_cast<std::int64_t>(std::min(request->wait_us(), kLongestStop))});
    *response->mutable_job() = job->Status(1, false);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ControlService::Savepoint(grpc::CallbackServerContext* context,
                                                    const v1::SavepointRequest* request,
                                                    v1::SavepointResponse* response) {
  auto* reactor = context->DefaultReactor();
  if (const absl::Status allowed = CheckClient(*context, driver_, "Savepoint"); !allowed.ok()) {
    reactor->Finish(ToGrpc(allowed));
    return reactor;
  }
  driver_.loop().Post([this, reactor, request, response] {
    const auto job = driver_.FindJob(request->job());
    if (!job.ok()) return reactor->Finish(ToGrpc(job.status()));
    (*job)->Savepoint([reactor, response](const absl::StatusOr<std::uint64_t>& batch) {
      if (batch.ok()) response->set_batch(*batch);
      reactor->Finish(ToGrpc(batch.status()));
    });
  });
  return reactor;
}

grpc::ServerWriteReactor<v1::JobEvent>* ControlService::FollowJob(grpc::CallbackServerContext* context,
                                                                  const v1::FollowJobRequest* request) {
  if (const absl::Status allowed = CheckClient(*context, driver_, "FollowJob"); !allowed.ok())
    return Refuse<v1::JobEvent>(allowed);
  const auto identity = std::make_shared<const OutputHub::RowSink*>(nullptr);
  auto writer = ServerWriter<v1::JobEvent>::Make(
      kFollowerQueue,
      [](std::uint64_t dropped) {
        v1::JobEvent event;
        event.set_dropped_rows(dropped);
        return event;
      },
      [this, identity] {
        driver_.loop().Post([this, identity] {
          for (const auto& [id, job] : driver_.jobs()) job->output().Unfollow(*identity);
        });
      });
  *identity = writer.get();
  driver_.loop().Post([this, writer, reference = request->job()] {
    const auto job = driver_.FindJob(reference);
    if (!job.ok()) {
      writer->Close(ToGrpc(job.status()));
    } else {
      (*job)->output().Follow(writer, (*job)->Status(0, false), (*job)->ended());
    }
  });
  return writer->reactor();
}

grpc::ServerWriteReactor<v1::LogLine>* ControlService::Logs(grpc::CallbackServerContext* context,
                                                            const v1::LogsRequest* request) {
  if (const absl::Status allowed = CheckClient(*context, driver_, "Logs"); !allowed.ok())
    return Refuse<v1::LogLine>(allowed);
  const auto identity = std::make_shared<const OutputHub::LogSink*>(nullptr);
  auto writer = ServerWriter<v1::LogLine>::Make(kFollowerQueue, nullptr, [this, identity] {
    driver_.loop().Post([this, identity] {
      for (const auto& [id, job] : driver_.jobs()) job->output().UnfollowLogs(*identity);
    });
  });
  *identity = writer.get();
  driver_.loop().Post([this, writer, reference = request->job(), lines = request->lines(), follow = request->follow()] {
    const auto job = driver_.FindJob(reference);
    if (!job.ok()) {
      writer->Close(ToGrpc(job.status()));
    } else {
      (*job)->output().FollowLogs(writer, lines, follow && !(*job)->ended());
    }
  });
  return writer->reactor();
}

grpc::ServerUnaryReactor* ControlService::Rows(grpc::CallbackServerContext* context, const v1::RowsRequest* request,
                                               v1::RowsResponse* response) {
  return Answer(context, "Rows", [this, request, response]() -> absl::Status {
    MR_ASSIGN_OR_RETURN(const auto job, driver_.FindJob(request->job()));
    const std::int64_t until =
        request->until_us() == 0 ? std::numeric_limits<std::int64_t>::max() : request->until_us();
    *response = job->output().Rows(request->since_us(), until);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ControlService::ListExecutors(grpc::CallbackServerContext* context,
                                                        const v1::ListExecutorsRequest*,
                                                        v1::ListExecutorsResponse* response) {
  return Answer(context, "ListExecutors", [this, response] {
    for (v1::ExecutorInfo& info :
         driver_.executors().Describe([this](const std::string& id) { return driver_.RunnersOn(id); })) {
      *response->add_executors() = std::move(info);
    }
    response->set_epoch(driver_.epoch());
    response->set_driver_version(kVersion);
    response->set_cluster(driver_.identity().name.cluster);
    return absl::OkStatus();
  });
}

}  // namespace millrace
