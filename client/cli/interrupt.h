// Ctrl-C and SIGTERM: a thread waits for them, cancels the client's calls, and wakes whoever waits here. A second one,
// or one that comes while no client is attached, ends the process at once.
//
//   Interrupt interrupt;            // first in main, before any other thread is made
//   interrupt.Attach(client.get());
//   if (interrupt.WaitFor(1s)) …    // true: interrupted
//
// Thread-safe. The attached client must outlive its attachment.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace millrace {
class Client;
}

namespace millrace::cli {

class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  void Attach(Client* client);  // null: none
  bool fired() const;
  // Waits; true as soon as interrupted.
  bool WaitFor(std::chrono::milliseconds time);

  // For a process that is about to become another program.
  static void UnblockSignals();

 private:
  void Fire();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool fired_ = false;
  Client* client_ = nullptr;
};

}  // namespace millrace::cli
