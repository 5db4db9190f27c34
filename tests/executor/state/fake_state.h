// For tests of state: a program whose state is one map from text to text, with either backend. Not a stand-in for the
// SDK's states, but the shortest library that keeps the rules of engine.h.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

#include "millrace/engine.h"

namespace millrace::testing {

using Map = std::map<std::string, std::string>;

class MapState final : public engine::State {
 public:
  explicit MapState(engine::StateStore* store) : store_(store) {}

  void Load(std::string_view key, std::string_view value) override {
    if (key == "poison") throw std::runtime_error("this job knows no poison");
    if (!map_.empty() && map_.rbegin()->first >= key) throw std::runtime_error("keys do not ascend");
    map_.emplace_hint(map_.end(), key, value);
  }
  void Loaded() override {
    ++loaded;
    std::string value;
    if (store_ != nullptr && store_->Get("poison", value)) throw std::runtime_error("this job knows no poison");
  }
  void TakeChanges(engine::StateChanges& changes) override {
    if (fail_changes) throw std::runtime_error("no changes today");
    for (const std::string& key : changed_) {
      const auto at = map_.find(key);
      if (at == map_.end()) {
        changes.Delete(key);
      } else {
        changes.Put(key, at->second);
      }
    }
    changed_.clear();
    left_ = takes;
  }
  bool TakeMore(std::size_t) override { return left_-- > 0; }
  std::uint64_t bytes() const override { return map_.size() * 100; }

  void Put(const std::string& key, const std::string& value) {
    if (store_ != nullptr) return store_->Put(key, value);
    map_[key] = value;
    changed_.insert(key);
  }
  void Delete(const std::string& key) {
    if (store_ != nullptr) return store_->Delete(key);
    map_.erase(key);
    changed_.insert(key);
  }
  std::optional<std::string> Get(const std::string& key) {
    std::string value;
    if (store_ != nullptr) return store_->Get(key, value) ? std::optional(value) : std::nullopt;
    const auto at = map_.find(key);
    return at == map_.end() ? std::nullopt : std::optional(at->second);
  }
  Map All() {
    if (store_ == nullptr) return map_;
    Map all;
    store_->Scan("", "", [&](std::string_view key, std::string_view value) {
      all.emplace(key, value);
      return true;
    });
    return all;
  }
  engine::StateStore* store() { return store_; }

  int loaded = 0;
  bool fail_changes = false;
  int takes = 0;  // how often TakeMore says that there is more

 private:
  engine::StateStore* const store_;
  Map map_;
  std::set<std::string> changed_;
  int left_ = 0;
};

class MapProgram final : public engine::Program {
 public:
  explicit MapProgram(engine::StateBackend backend) { description_.state_backend = backend; }

  const engine::GraphDescription& description() const override { return description_; }
  std::unique_ptr<engine::Task> NewTask(const engine::TaskContext&, engine::TaskOutput&) const override {
    throw std::logic_error("it has no tasks");
  }
  std::unique_ptr<engine::State> NewState(std::uint32_t stage, std::uint32_t,
                                          engine::StateStore* store) const override {
    if (stage == 666) throw std::runtime_error("no such stage");
    return std::make_unique<MapState>(store);
  }

 private:
  engine::GraphDescription description_;
};

}  // namespace millrace::testing
