// A candidate of the election tests: election_member ENDPOINTS KEY VALUE LEASE-SECONDS. Prints what happens to it, a
// line each: "leader WHO", "unknown WHY", "elected", "lost WHY", and ends after "lost". Resigns at the end of its
// input.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "driver/election/election.h"

namespace {

void Say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

std::vector<std::string> Split(const std::string& list) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= list.size();) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    parts.push_back(list.substr(from, comma - from));
    from = comma + 1;
  }
  return parts;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace millrace;
  if (argc != 5) return 2;
  const std::chrono::seconds lease(std::atoi(argv[4]));
  auto etcd =
      EtcdClient::Make({.endpoints = Split(argv[1]), .tls = {}, .call_timeout = std::chrono::milliseconds(lease) / 5});
  if (!etcd.ok()) return 3;
  Election election(*std::move(etcd), {argv[2], argv[3], lease},
                    {[](const std::string& leader, const std::string& problem) {
                       Say(problem.empty() ? "leader " + leader : "unknown " + problem);
                     },
                     [] { Say("elected"); },
                     [](const std::string& why) {
                       Say("lost " + why);
                       _exit(0);
                     }});
  election.Start();
  while (std::getchar() != EOF) continue;
  election.Stop();
  Say("stopped");
  _exit(0);
}
