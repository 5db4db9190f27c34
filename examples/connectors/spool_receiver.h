// A receiver of one's own: others rename files into a folder, and the receiver takes the readings in them and deletes
// the file once they are safe. It is told of new files by the kernel (inotify) and looks again every second, for a
// folder on the network.
//
//   auto readings = ctx.FromReceiver({}, [](const std::string&) { return std::make_unique<SpoolReceiver>("/spool"); });
//
// Every line has the id "file:number", so a file that was stored and not deleted when a runner died counts once. Files
// that begin with a dot are left alone. A line that is no reading is left out, and said in the job's status.
#pragma once

#include <millrace/custom_receiver.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "examples/connectors/reading.h"

class SpoolReceiver : public millrace::CustomReceiver<Reading> {
 public:
  explicit SpoolReceiver(std::filesystem::path folder) : folder_(std::move(folder)) {}
  ~SpoolReceiver() override { CloseAll(); }

  void Start(millrace::ReceiverOutput<Reading>& out) override {
    CloseAll();
    stop_ = eventfd(0, EFD_CLOEXEC);
    events_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (stop_ < 0 || events_ < 0 || inotify_add_watch(events_, folder_.c_str(), IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
      throw std::system_error(errno, std::generic_category(), "watching " + folder_.string());
    thread_ = std::thread([this, &out] { Run(out); });
  }
  void Stop() override {
    const std::uint64_t one = 1;
    if (write(stop_, &one, sizeof one) != sizeof one) std::terminate();  // an eventfd takes it
    thread_.join();
  }

 private:
  static constexpr std::size_t kBlock = 1000;  // lines that are stored together

  void Run(millrace::ReceiverOutput<Reading>& out) {
    while (true) {
      try {
        if (!TakeFiles(out)) return;
      } catch (const std::exception& e) {
        out.Report(e.what());
      }
      pollfd polled[] = {{stop_, POLLIN, 0}, {events_, POLLIN, 0}};
      poll(polled, 2, 1000);
      if ((polled[0].revents & POLLIN) != 0) return;
      char events[4096];
      while (read(events_, events, sizeof events) > 0) {  // which files they name does not matter
      }
    }
  }

  // False: the receiver is at its end.
  bool TakeFiles(millrace::ReceiverOutput<Reading>& out) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.is_regular_file() && !entry.path().filename().string().starts_with('.')) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (const auto& file : files) {
      const millrace::StoreResult stored = StoreFile(file, out);
      if (stored.outcome == millrace::StoreOutcome::kEnded) return false;
      if (!stored.ok()) throw std::runtime_error(file.string() + " waits: " + stored.why);
      std::filesystem::remove(file);  // the acknowledgement
    }
    return true;
  }

  millrace::StoreResult StoreFile(const std::filesystem::path& path, millrace::ReceiverOutput<Reading>& out) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot open " + path.string());
    std::vector<Reading> block;
    std::vector<std::string> ids;
    std::uint64_t number = 0;
    for (std::string line; std::getline(file, line);) {
      ++number;
      try {
        block.push_back(ParseReading(line));
        ids.push_back(path.filename().string() + ":" + std::to_string(number));
      } catch (const std::invalid_argument& e) {
        out.Report("left out: " + path.filename().string() + " line " + std::to_string(number) + ": " + e.what());
      }
      if (block.size() < kBlock) continue;
      if (millrace::StoreResult stored = out.Store(block, ids); !stored.ok()) return stored;
      block.clear();
      ids.clear();
    }
    if (file.bad()) throw std::runtime_error("cannot read " + path.string());
    return out.Store(block, ids);
  }

  void CloseAll() {
    if (stop_ >= 0) close(stop_);
    if (events_ >= 0) close(events_);
    stop_ = events_ = -1;
  }

  const std::filesystem::path folder_;
  int stop_ = -1;    // eventfd: readable once stopping
  int events_ = -1;  // inotify
  std::thread thread_;
};
