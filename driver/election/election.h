// One driver's part in the election of a leader through etcd. Whoever creates the one key under a lease of its own
// leads until that lease ends; the others watch the key and try when it is gone. A leader that could not renew its
// lease for four fifths of it, by its own clock, has lost it, whatever etcd thinks.
//
//   Election election(std::move(etcd), {.key = "/millrace/leader", .value = "driver-1:7077", .lease = 2s},
//                     {.on_leader = …, .on_elected = …, .on_lost = …});
//   election.Start();
//   …
//   election.Stop();  // a leader gives the key back, and the next one begins at once
//
// This is for finding one leader soon, not for keeping two apart: a leader can be stopped between looking at the clock
// and acting. The fence is in the storage (driver/journal/term.h).
//
// Thread rule: handlers run on the election's own thread and return soon. After on_lost nothing more is called: a
// process leads once. Start and Stop from one thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "driver/election/etcd_client.h"

namespace millrace {

struct ElectionOptions {
  std::string key;
  std::string value;  // what the others are told of the leader: its address
  std::chrono::seconds lease{2};
};

struct ElectionHandlers {
  // Who leads, as far as is known; empty: nobody, or `problem` says why it is not known.
  std::function<void(const std::string& leader, const std::string& problem)> on_leader;
  std::function<void()> on_elected;
  std::function<void(const std::string& why)> on_lost;
};

class Election {
 public:
  Election(std::unique_ptr<EtcdClient> etcd, ElectionOptions options, ElectionHandlers handlers);
  ~Election();

  void Start();
  void Stop();

 private:
  void Run();
  // Returns when this driver has been elected (true) or the election is stopped (false).
  bool Campaign();
  // One round: waits for the leader's end if there is one, and tries if there is none. The error is etcd's.
  absl::StatusOr<bool> Try();
  absl::Status AwaitEndOf(const EtcdKey& leader);
  // Keeps the lease; returns why it is lost, or an empty text when the election is stopped.
  std::string Lead();
  absl::Status Renew();
  void Tell(const std::string& leader, const std::string& problem);
  // False when the election is stopped meanwhile.
  bool Wait(std::chrono::nanoseconds time);
  bool stopped();

  const std::unique_ptr<EtcdClient> etcd_;
  const ElectionOptions options_;
  const ElectionHandlers handlers_;

  // The thread's alone.
  EtcdLease lease_;
  LeaseClock clock_;
  std::string told_leader_;
  std::string told_problem_;
  bool told_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace millrace
