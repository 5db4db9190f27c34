#include "driver/election/election.h"

#include <algorithm>
#include <utility>

#include "common/log.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;  // NOLINT

constexpr auto kPause = 200ms;  // between tries while etcd is away

}  // namespace

Election::Election(std::unique_ptr<EtcdClient> etcd, ElectionOptions options, ElectionHandlers handlers)
    : etcd_(std::move(etcd)), options_(std::move(options)), handlers_(std::move(handlers)) {}

Election::~Election() { Stop(); }

void Election::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Election::Stop() {
  {
    // Both at once: a thread that sees the one may already have undone the other.
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    etcd_->Cancel();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Election::Run() {
  if (!Campaign()) return;
  handlers_.on_elected();
  if (const std::string lost = Lead(); !lost.empty()) {
    handlers_.on_lost(lost);
    return;
  }
  etcd_->Resume();
  if (const absl::Status status = etcd_->Revoke(lease_.id); !status.ok())
    log::Warn("the lease was not given back; it ends by itself", {{"why", Message(status)}});
}

bool Election::Campaign() {
  while (!stopped()) {
    const absl::StatusOr<bool> elected = Try();
    if (elected.ok() && *elected) return true;
    if (elected.ok()) continue;
    if (stopped()) break;
    Tell("", Message(elected.status()));
    if (!Wait(kPause)) break;
  }
  return false;
}

absl::StatusOr<bool> Election::Try() {
  MR_ASSIGN_OR_RETURN(EtcdKey leader, etcd_->Get(options_.key));
  if (!leader.exists) {
    const auto sent = BootClock::now();
    MR_ASSIGN_OR_RETURN(lease_, etcd_->Grant(options_.lease));
    clock_.Renewed(sent, lease_.ttl);
    auto made = etcd_->Create(options_.key, options_.value, lease_.id);
    if (made.ok() && made->lease == lease_.id && !clock_.Over(BootClock::now())) return true;
    // Also when it is not known whether the key was made: without its lease it does not stay.
    etcd_->Resume();
    (void)etcd_->Revoke(lease_.id);
    if (stopped()) etcd_->Cancel();
    MR_RETURN_IF_ERROR(made.status());
    if (made->lease == lease_.id) return false;
    leader = *std::move(made);
  }
  Tell(leader.value, "");
  MR_RETURN_IF_ERROR(AwaitEndOf(leader));
  return false;
}

absl::Status Election::AwaitEndOf(const EtcdKey& leader) {
  EtcdKey now = leader;
  while (now.exists && now.created == leader.created && !stopped()) {
    const auto begun = BootClock::now();
    // A watch may be deaf without our knowing, so the key is read again all the same.
    etcd_->AwaitChange(options_.key, now.revision,
                       std::chrono::duration_cast<std::chrono::milliseconds>(options_.lease));
    const bool at_once = BootClock::now() - begun < 20ms;
    const std::int64_t before = now.revision;
    MR_ASSIGN_OR_RETURN(now, etcd_->Get(options_.key));
    if (at_once && now.revision == before && !Wait(kPause)) break;
  }
  return absl::OkStatus();
}

std::string Election::Lead() {
  const auto pause = std::chrono::nanoseconds(lease_.ttl) / 20;
  std::string last = "its renewal came too late: was the process stopped?";
  auto next = clock_.next_renewal();
  while (Wait(next - BootClock::now())) {
    if (clock_.Over(BootClock::now())) return last;
    const absl::Status status = Renew();
    if (stopped()) break;
    if (absl::IsNotFound(status)) return Message(status);
    if (!status.ok()) last = Message(status);
    next = status.ok() ? clock_.next_renewal() : std::min(BootClock::now() + pause, clock_.deadline());
  }
  return {};
}

absl::Status Election::Renew() {
  const auto sent = BootClock::now();
  MR_ASSIGN_OR_RETURN(const std::chrono::seconds ttl, etcd_->KeepAlive(lease_.id, clock_.deadline()));
  const auto before = clock_.deadline();
  clock_.Renewed(sent, ttl);
  // Someone may have removed the key: then another is elected while our lease lives.
  const auto key = etcd_->Get(options_.key, before);
  if (key.ok() && (!key->exists || key->lease != lease_.id))
    return NotFound("the key ", options_.key, " is ours no longer");
  return absl::OkStatus();
}

void Election::Tell(const std::string& leader, const std::string& problem) {
  if (std::exchange(told_, true) && leader == told_leader_ && problem.empty() == told_problem_.empty()) return;
  told_leader_ = leader;
  told_problem_ = problem;
  handlers_.on_leader(leader, problem);
}

bool Election::Wait(std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::max(time, std::chrono::nanoseconds(0)), [this] { return stopped_; });
  return !stopped_;
}

bool Election::stopped() {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

}  // namespace millrace
