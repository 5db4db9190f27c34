// A real S3 server for tests, of scripts/servers/s3.sh: on a free port, with a directory of its own. It can be killed,
// started again with its objects, and frozen. And a relay before it that loses answers, for faults that no server makes
// when asked.
//
//   auto server = S3Server::Start();
//   if (!server) GTEST_SKIP() << S3Server::kMissing;
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "common/object_store/s3_client.h"
#include "tests/common/io/scratch.h"

namespace millrace::testing {

class S3Server {
 public:
  static constexpr char kMissing[] = "no S3 server here: run scripts/servers/s3.sh install";

  // Null when the server is not installed.
  static std::unique_ptr<S3Server> Start();
  ~S3Server();

  void Kill();
  void Restart();
  void Freeze();
  void Thaw();

  int port() const { return port_; }
  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string bucket() const { return "test"; }
  // The path of an object's bytes.
  std::string FileOf(const std::string& key) const { return data_ / ("objects/test/" + key); }
  std::string credentials_file() const { return data_ / "credentials"; }

  // Good credentials, and a patience that fits a test.
  S3Options options() const;

 private:
  S3Server() = default;
  bool Run(const std::string& command) const;
  int pid() const;

  ScratchDirectory data_;
  int port_ = 0;
};

// Passes bytes on to a server; on demand cuts a connection right before the next answer.
class LossyRelay {
 public:
  explicit LossyRelay(int server_port);
  ~LossyRelay();

  void LoseAnswers(int n) { lose_ = n; }
  int lost() const { return lost_; }
  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  void Serve();
  void Pass(int client);

  const int server_port_;
  int port_ = 0;
  int listener_ = -1;
  std::atomic<int> lose_{0};
  std::atomic<int> lost_{0};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

void WriteTextFile(const std::string& path, const std::string& text);

}  // namespace millrace::testing
