// What the conformance tests of connectors report: which checks were made, and which failed, in words. Needs no test
// framework:
//
//   const millrace::testing::Conformance found = millrace::testing::CheckSource(MakeCsvFolder);
//   EXPECT_TRUE(found.ok()) << found.text();
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::testing {

class Conformance {
 public:
  struct Failure {
    std::string check;  // "replay"
    std::string what;
  };

  bool ok() const { return failures_.empty() && checks_ > 0; }
  std::uint64_t checks() const { return checks_; }  // how many comparisons were made
  const std::vector<Failure>& failures() const { return failures_; }
  bool Failed(std::string_view check) const {
    for (const Failure& failure : failures_) {
      if (failure.check == check) return true;
    }
    return false;
  }
  std::string text() const {
    std::string all = std::to_string(checks_) + " checks, " + std::to_string(failures_.size()) + " failed";
    for (const Failure& failure : failures_) all += "\n  " + failure.check + ": " + failure.what;
    return all;
  }

  // For the tests: notes a failure unless `good`; each is told a few times at most.
  bool Expect(bool good, std::string_view check, const std::string& what) {
    ++checks_;
    if (!good) Fail(check, what);
    return good;
  }
  void Fail(std::string_view check, const std::string& what) {
    std::size_t same = 0;
    for (const Failure& failure : failures_) same += failure.check == check ? 1 : 0;
    if (same < kTold) failures_.push_back({std::string(check), what});
  }
  // Runs a part; what it lets through is a failure of `check`. False then.
  template <class F>
  bool Run(std::string_view check, F&& f) {
    ++checks_;
    try {
      std::forward<F>(f)();
      return true;
    } catch (const std::exception& e) {
      Fail(check, std::string("it threw: ") + e.what());
    } catch (...) {
      Fail(check, "it threw something that is no std::exception");
    }
    return false;
  }
  // Whether the part throws; nothing is noted.
  template <class F>
  static bool Throws(F&& f) {
    try {
      std::forward<F>(f)();
      return false;
    } catch (...) {
      return true;
    }
  }

 private:
  static constexpr std::size_t kTold = 3;
  std::uint64_t checks_ = 0;
  std::vector<Failure> failures_;
};

}  // namespace millrace::testing
