// Real etcds for the tests of the election: each object is a cluster of its own on free ports, with its data in a
// directory of its own, and ends with the object.
//
//   EtcdServers etcd(3);
//   if (!etcd.installed()) GTEST_SKIP() << "etcd is not installed";
//   etcd.Run("kill --member 1");
//
// One thread. A failure to start ends the test program.
#pragma once

#include <string>
#include <vector>

#include "tests/common/io/scratch.h"

namespace millrace::testing {

class EtcdServers {
 public:
  explicit EtcdServers(int nodes, bool tls = false);
  ~EtcdServers();

  static bool Installed();
  // A command of scripts/servers/etcd.sh, for this cluster: "start", "pause --member 0", "ctl del /x".
  void Run(const std::string& command) const;

  std::vector<std::string> endpoints() const;
  std::string joined() const;  // "http://…,http://…"
  std::string operator/(std::string_view name) const { return directory_ / name; }

 private:
  ScratchDirectory directory_;
  const int nodes_;
  const bool tls_;
  int port_ = 0;
};

}  // namespace millrace::testing
