// A client of a Millrace cluster: submits jobs, asks about them, follows what they print. A thin shell over the Control
// service of proto/millrace/v1/control.proto, whose messages it gives out as values; any other language can do the
// same.
//
//   MR_ASSIGN_OR_RETURN(auto client, Client::Connect({.target = "driver:7077", .tls = {ca, cert, key}}));
//   MR_ASSIGN_OR_RETURN(v1::JobStatus job, client->Submit("libwords.so", {.name = "words"}, nullptr));
//   MR_RETURN_IF_ERROR(client->FollowJob(job.id(), [](const v1::JobEvent& event) { … }));
//
// Of several drivers the one that leads is found, at each call again: a call that reaches none, or one that does not
// lead, goes on to the next until its time is over. That is safe for all of them; a submission carries a name of its
// own by which the driver knows it again. A stream that breaks after it has given something ends with Unavailable: call
// again, and the leader is found.
//
// Thread-safe; calls block. Callbacks run on the calling thread. Errors are the driver's own (control.proto names
// them), and for the connection: Unavailable (nothing there, no answer), Unauthenticated (the driver is not who it
// should be), PermissionDenied (it does not take our certificate), DeadlineExceeded, Cancelled (Cancel was called).
// Call RequireTls13() first thing in main.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "client/lib/connections.h"
#include "common/net/tls.h"
#include "common/status.h"
#include "millrace/v1/control.grpc.pb.h"

namespace millrace {

struct ClientOptions {
  std::string target = "127.0.0.1:7077";  // or several, "a:7077,b:7077"
  TlsFiles tls;
  // For connecting, and for each call that has one answer. Submitting and following take as long as they take, once
  // they have begun.
  std::chrono::milliseconds timeout{10'000};
};

struct SubmitOptions {
  std::string name;  // empty: the name in the library
  std::map<std::string, std::string> arguments;
  std::uint64_t batch_interval_us = 0;  // 0: as in the job
  std::string from = {};                // an ended job to go on from
};

struct StopOptions {
  bool now = false;              // batches that are cut are given up
  bool drain = false;            // receivers stop first, and what they have received is processed
  std::chrono::seconds wait{0};  // then the job ends, whatever is unfinished; 0: the driver's choice
};

struct LogsOptions {
  bool follow = false;
  std::uint32_t lines = 0;  // 0: the driver's choice
};

class Client {
 public:
  // What a submission has reached: first "uploading" with sent and total bytes, then the driver's own steps with their
  // detail; "again" with the reason when it begins anew with another driver.
  struct Progress {
    std::string step;
    std::string detail;
    std::uint64_t sent_bytes = 0;
    std::uint64_t total_bytes = 0;
  };
  using ProgressCallback = std::function<void(const Progress&)>;

  // Checks the identity, which must be of role client (PermissionDenied), and connects.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(ClientOptions options);
  ~Client();

  // Uploads the job library in `path` and starts it. The callback may be null. DataLoss when the file changes while it
  // is read.
  absl::StatusOr<v1::JobStatus> Submit(const std::string& path, const SubmitOptions& options,
                                       const ProgressCallback& progress);
  absl::StatusOr<v1::ListJobsResponse> ListJobs(bool all);
  // `job` is an id, a name, or a unique beginning of an id, here and below. `batches` 0: the driver's choice.
  absl::StatusOr<v1::JobStatus> GetJob(const std::string& job, std::uint32_t batches = 0, bool plan = false);
  absl::StatusOr<v1::JobStatus> StopJob(const std::string& job, const StopOptions& options);
  // Returns the batch after which the state was saved, when it is safe. Has no time limit of ours.
  absl::StatusOr<std::uint64_t> Savepoint(const std::string& job);
  absl::StatusOr<v1::ListExecutorsResponse> ListExecutors();
  // Rows of Print that the driver has kept, of batches with times in [since_us, until_us]; until_us 0: up to now.
  absl::StatusOr<v1::RowsResponse> Rows(const std::string& job, std::int64_t since_us, std::int64_t until_us = 0);
  // Ok when the job has ended.
  absl::Status FollowJob(const std::string& job, const std::function<void(const v1::JobEvent&)>& on_event);
  absl::Status Logs(const std::string& job, const LogsOptions& options,
                    const std::function<void(const v1::LogLine&)>& on_line);

  // Ends all calls, running and future, with Cancelled.
  void Cancel();

  const ClientOptions& options() const { return options_; }
  const TlsIdentity& identity() const { return identity_; }

 private:
  class Call;
  using Time = std::chrono::steady_clock::time_point;
  // One try of a call at one driver.
  using Try = std::function<grpc::Status(ClientConnection& at)>;

  Client(ClientOptions options, DriverAddresses drivers, TlsIdentity identity);
  absl::Status AwaitConnection();
  // Tries until a driver answers, or until `deadline`, which a try may move. The driver's answer as it is, or why none
  // came.
  absl::Status Reach(Time& deadline, const Try& attempt);
  Time Patience() const { return std::chrono::steady_clock::now() + options_.timeout; }
  // False when calls are cancelled.
  bool Pause();
  // A broken connection with its reason; anything else is the driver's own.
  absl::Status Explained(const grpc::Status& status, const ClientConnection& at) const;
  struct Failure {
    grpc::Status status;
    std::shared_ptr<ClientConnection> at;
  };
  absl::Status NobodyLeads(const std::map<std::string, Failure>& tried) const;
  template <class Request, class Reply>
  absl::StatusOr<Reply> Ask(grpc::Status (v1::Control::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                            const Request& request);
  template <class Out, class Request>
  absl::Status Stream(std::unique_ptr<grpc::ClientReader<Out>> (v1::Control::Stub::*method)(grpc::ClientContext*,
                                                                                            const Request&),
                      const Request& request, const std::function<void(const Out&)>& on_message);

  const ClientOptions options_;
  const TlsIdentity identity_;
  ClientConnections connections_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool cancelled_ = false;
  std::set<grpc::ClientContext*> running_;
};

}  // namespace millrace
