// A driver's life as one of several: it listens and refuses, runs for leader, and says when it has been elected.
//
//   MR_ASSIGN_OR_RETURN(auto candidate, Candidate::Start(options, on_lost));
//   if (candidate->AwaitElection()) … Driver::Start(options, {.before_listening = [&] { candidate->FreePort(); }, …});
//   candidate->Resign();
//
// `on_lost` runs on the election's thread when the lease of a leader has ended; it should end the process, which its
// supervisor starts again as a candidate. AwaitElection, FreePort and Resign from one thread, Interrupt from any.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "common/status.h"
#include "driver/election/election.h"
#include "driver/election/standby_server.h"
#include "driver/options.h"

namespace millrace {

class Candidate {
 public:
  static absl::StatusOr<std::unique_ptr<Candidate>> Start(const DriverOptions& options,
                                                          std::function<void(const std::string& why)> on_lost);
  ~Candidate();

  // True when this driver leads; false when Interrupt came before.
  bool AwaitElection();
  void Interrupt();
  // Ends the server that refuses.
  void FreePort() { standby_.reset(); }
  // Gives the leadership back, or ends the candidature.
  void Resign() { election_->Stop(); }

 private:
  Candidate() = default;
  void LeaderIs(const std::string& leader, const std::string& problem);
  void Elected();

  std::unique_ptr<StandbyServer> standby_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool elected_ = false;                // guarded by mutex_
  bool interrupted_ = false;            // guarded by mutex_
  std::unique_ptr<Election> election_;  // last: its thread uses all of the above
};

}  // namespace millrace
