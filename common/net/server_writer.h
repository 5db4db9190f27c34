// A server-to-client stream with a bounded queue that drops its oldest messages when the client reads too slowly: for
// things to look at (rows, logs), never for work.
//
//   auto writer = ServerWriter<v1::LogLine>::Make(1000, on_dropped, on_closed);
//   return writer->reactor();
//   writer->Send(line);      // any thread
//   writer->Close(status);   // any thread; what is queued is written first
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "common/net/message_sink.h"

namespace millrace {

template <class Out>
class ServerWriter final : public MessageSink<Out> {
 public:
  // Makes the message that tells how many were dropped; nothing is sent if it is empty.
  using OnDropped = std::function<Out(std::uint64_t dropped)>;

  static std::shared_ptr<ServerWriter> Make(std::size_t queue_max, OnDropped on_dropped,
                                            std::function<void()> on_closed) {
    auto writer =
        std::shared_ptr<ServerWriter>(new ServerWriter(queue_max, std::move(on_dropped), std::move(on_closed)));
    writer->reactor_ = new Reactor(writer);
    return writer;
  }
  grpc::ServerWriteReactor<Out>* reactor() { return reactor_; }

  void Send(Out message) override {
    std::lock_guard lock(mutex_);
    if (status_) return;
    if (queue_.size() >= queue_max_) {
      queue_.pop_front();
      ++dropped_;
    }
    queue_.push_back(std::move(message));
    if (!current_) WriteNext();
  }
  void Close(grpc::Status status) override {
    std::lock_guard lock(mutex_);
    if (status_) return;
    status_ = std::move(status);
    if (!current_) WriteNext();
  }

 private:
  class Reactor final : public grpc::ServerWriteReactor<Out> {
   public:
    explicit Reactor(std::shared_ptr<ServerWriter> writer) : writer_(std::move(writer)) {}
    void OnWriteDone(bool ok) override { writer_->WriteDone(ok); }
    void OnCancel() override { writer_->Cancelled(); }
    void OnDone() override {
      auto writer = std::move(writer_);
      delete this;
      if (auto closed = std::exchange(writer->on_closed_, {})) closed();
    }

   private:
    std::shared_ptr<ServerWriter> writer_;
  };

  ServerWriter(std::size_t queue_max, OnDropped on_dropped, std::function<void()> on_closed)
      : queue_max_(queue_max), on_dropped_(std::move(on_dropped)), on_closed_(std::move(on_closed)) {}

  void WriteNext() {
    if (dropped_ > 0 && on_dropped_) {
      current_ = on_dropped_(std::exchange(dropped_, 0));
    } else if (!queue_.empty()) {
      current_ = std::move(queue_.front());
      queue_.pop_front();
    } else if (status_ && !finished_) {
      finished_ = true;
      reactor_->Finish(*status_);
      return;
    }
    if (current_) reactor_->StartWrite(&*current_);
  }
  void WriteDone(bool ok) {
    std::lock_guard lock(mutex_);
    current_.reset();
    if (!ok) {
      queue_.clear();
      dropped_ = 0;
      if (!status_) status_ = grpc::Status::CANCELLED;
    }
    WriteNext();
  }
  void Cancelled() {
    std::lock_guard lock(mutex_);
    queue_.clear();
    dropped_ = 0;
    if (!status_) status_ = grpc::Status::CANCELLED;
    if (!current_) WriteNext();
  }

  const std::size_t queue_max_;
  const OnDropped on_dropped_;
  std::function<void()> on_closed_;
  Reactor* reactor_ = nullptr;  // owned by gRPC
  std::mutex mutex_;
  std::deque<Out> queue_;
  std::optional<Out> current_;
  std::uint64_t dropped_ = 0;
  std::optional<grpc::Status> status_;
  bool finished_ = false;
};

}  // namespace millrace
