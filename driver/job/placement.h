// Who should own what: keeps owners that live, gives the rest to the least loaded, and evens out with as few moves as
// possible. Pure and deterministic.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace millrace {

template <class Key>
void Balance(std::map<Key, std::string>& owners, const std::vector<std::string>& live) {
  if (live.empty()) {
    for (auto& [key, owner] : owners) owner.clear();
    return;
  }
  std::map<std::string, std::vector<Key>> held;
  for (const std::string& runner : live) held[runner];
  std::vector<Key> homeless;
  for (auto& [key, owner] : owners) {
    if (auto it = held.find(owner); it != held.end()) {
      it->second.push_back(key);
    } else {
      homeless.push_back(key);
    }
  }
  const auto fewer = [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); };
  const auto give = [&](const Key& key) {
    auto least = std::min_element(held.begin(), held.end(), fewer);
    owners[key] = least->first;
    least->second.push_back(key);
  };
  for (const Key& key : homeless) give(key);
  for (;;) {
    auto most = std::max_element(held.begin(), held.end(), fewer);
    auto least = std::min_element(held.begin(), held.end(), fewer);
    if (most->second.size() <= least->second.size() + 1) return;
    const Key key = most->second.back();
    most->second.pop_back();
    owners[key] = least->first;
    least->second.push_back(key);
  }
}

}  // namespace millrace
