#include "driver/candidate.h"

#include <utility>

#include "common/io/file.h"
#include "common/log.h"

namespace millrace {

absl::StatusOr<std::unique_ptr<Candidate>> Candidate::Start(const DriverOptions& options,
                                                            std::function<void(const std::string& why)> on_lost) {
  MR_ASSIGN_OR_RETURN(const TlsIdentity identity, LoadIdentity(options.tls, "driver"));
  // Found out now, not when this driver is needed.
  MR_RETURN_IF_ERROR(MakeDirectories(options.data_dir));
  auto etcd = EtcdClient::Make(options.standby.etcd);
  if (!etcd.ok()) return Annotate(etcd.status(), "driver.etcd");
  auto candidate = std::unique_ptr<Candidate>(new Candidate());
  MR_ASSIGN_OR_RETURN(candidate->standby_, StandbyServer::Start(options.listen, identity));
  const std::string key = Concat(options.standby.prefix, "/", identity.name.cluster, "/leader");
  log::Info("driver stands by", {{"listen", options.listen},
                                 {"advertise", options.standby.advertise},
                                 {"cluster", identity.name.cluster},
                                 {"key", key}});
  Candidate* const self = candidate.get();
  candidate->election_ = std::make_unique<Election>(
      *std::move(etcd), ElectionOptions{key, options.standby.advertise, options.standby.lease},
      ElectionHandlers{[self](const auto& leader, const auto& problem) { self->LeaderIs(leader, problem); },
                       [self] { self->Elected(); }, std::move(on_lost)});
  candidate->election_->Start();
  return candidate;
}

Candidate::~Candidate() = default;

void Candidate::LeaderIs(const std::string& leader, const std::string& problem) {
  if (problem.empty()) {
    log::Info("another driver leads", {{"leader", leader}});
  } else {
    log::Warn("it is not known who leads", {{"why", problem}});
  }
  standby_->SetLeader(leader, problem);
}

void Candidate::Elected() {
  log::Info("elected");
  standby_->SetLeader("", "this driver has just been elected and reads its journals");
  const std::lock_guard lock(mutex_);
  elected_ = true;
  changed_.notify_all();
}

bool Candidate::AwaitElection() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return elected_ || interrupted_; });
  return elected_ && !interrupted_;
}

void Candidate::Interrupt() {
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  changed_.notify_all();
}

}  // namespace millrace
