// Waiting for a state that no event announces, on another thread, in another process or on a server.
//
//   EXPECT_TRUE(Eventually([&] { return source->Problem().empty(); })) << source->Problem();
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace millrace {

// Asks again and again; false after twenty seconds.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace millrace
